"""IAM: who there is, and what they may do.

    service      the operations as a whole, and what the gateway asks before every call
    table        their members, as data
    kinds        roles, users and groups: how IAM speaks of each
    holders      what all three have: inline and attached policies, tags
    roles        CreateRole .. UpdateAssumeRolePolicy
    users        CreateUser .. login profiles
    groups       CreateGroup .. who is in them
    access_keys  keys of users, and whose a key is
    uses         when a key was last used
    policies     customer managed policies and their versions; lookup of AWS's own
    managed      AWS's managed policies that these courses and templates use, from `managed.json`
    documents    what a policy document must look like

Records: kinds `iam:role`, `iam:user`, `iam:group`, `iam:policy` (by name), `iam:access-key` (by id). The owner of the
data folder is none of the users: the owner may do everything.
"""
