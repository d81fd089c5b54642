"""The parts of the AWS stack. They import Pulumi and each other, and nothing of deployer."""
