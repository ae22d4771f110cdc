"""CloudFormation's door: the stacks of its operations, made by the same engine as a template's file.

`service` is the table of operations; `definitions` reads what a stack is to be; `making`, `change_sets` and `deleting`
begin the work, `running` does it, `driving` knows what each status asks for; `describing` and `summary` tell.
"""
