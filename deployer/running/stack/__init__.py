"""Deployments whose provider has a Pulumi program: applied by a real Pulumi engine, found again by their tags.

pulumi_cli   Pulumi's program: found, or installed                 settings   state, passphrase, folders
engine       what is asked of Pulumi, over the Automation API      failures   its failures in our words
changes      a preview as priced changes (pure)                    progress   its events as lines
recovery     whatever an interrupted run left behind               apply      all of it, in order
preview      what `up` would do now, changing nothing              process    note of the running process
driver       what a provider does while it is applied              manager    and once it is there
config       what a program is told besides its inputs             state      what Pulumi's state tells
pricing      a plan's own pricing                                  offline    what a program declares, without Pulumi
"""
