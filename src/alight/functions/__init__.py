"""Functions: a function's code and venv, its worker processes, and the Lambda Runtime API they speak.

package      code and requirements.txt become a code folder and a cached venv
binaries     compiled packages that are for another Python, and what stands in for them
interpreters which Python runs a `Runtime`
layers       several packages laid over each other, for a function
pool         who runs now, who waits, what stays warm
sandbox      one worker process: start, hand over, time limit, kill
runtime_api  the HTTP listener of one sandbox
launcher     first code in the child: limits, then the loop (awslambdaric, or our own `bootstrap`)
output       the child's stdout and stderr, line by line, per request
report       START, END, REPORT and error payloads as Lambda words them
memory       how much the worker and its children hold
"""
