"""The fence around processes that run other people's code or meet strangers' bytes: workers, replicas, the shrinker.

`tiers` says, in the runtime, how strong a fence this machine has and where it stands; `raising` puts it up, in the
child, before anything of the user's is loaded.
"""
