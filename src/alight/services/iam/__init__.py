"""IAM: roles and what they may do.

    service    the operations, one table
    roles      CreateRole .. DetachRolePolicy, and `Roles.policies_of`, which the gateway asks before every call
    policies   customer managed policies and their versions; lookup of AWS's own
    managed    AWS's managed policies that these courses and templates use, from `managed.json`
    documents  what a policy document must look like

Records: kind `iam:role` (by name), kind `iam:policy` (by name). There are no users: the owner of the data folder may
do everything, workers have roles.
"""
