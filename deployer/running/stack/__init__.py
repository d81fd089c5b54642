"""Deployments whose provider has a Pulumi program: applied by a real Pulumi engine, found again by their tags.

pulumi_cli   the Pulumi CLI: found, or installed             settings   state, passphrase, folders
engine       Pulumi's operations, by the Automation API       failures  its failures in our words
changes      a preview as priced changes (pure)                    progress  its events as lines
session      AWS's API                                             preflight what AWS must allow first
search       what exists of a deployment, by its tags              removal   and how it is removed
recovery     whatever an interrupted run left behind               apply     all of it, in order
stack_state  what Pulumi's state tells
runner       looking after what is there                           logs      its log, its console
"""
