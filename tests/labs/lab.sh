# shellcheck shell=bash
# What both labs share; sourced by them. See docs/how-to/labs.md.
#
# Settings (environment):
#   AWS_ENDPOINT_URL ...  what `alight env` prints
#   AWS_CLI               the aws command line, version 2 (aws)
#   ALIGHT                the alight command (alight); only to look at the phone: `alight outbox`
#   ALIGHT_DATA           the instance's folder (.alight)
#   LAB_PAUSE             when set, each step waits for a line on standard input

set -euo pipefail
: "${AWS_ENDPOINT_URL:?run  eval \"\$(alight env)\"  first}"
export AWS_PAGER="" AWS_DEFAULT_OUTPUT=text
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
EXAMPLES=$(cd "$HERE/../../examples" && pwd)
ACCOUNT=000000000000
PATIENCE=${LAB_PATIENCE:-60}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

# Version 2 got AWS_ENDPOINT_URL with 2.13 only.
aws() { command "${AWS_CLI:-aws}" --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }

quiet() { "$@" > /dev/null; }

# step TEXT: what comes next, for whoever looks on.
step() {
    echo "== $*"
    if [ -n "${LAB_PAUSE:-}" ]; then read -r _; fi
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# same WHAT EXPECTED FOUND
same() { [ "$2" = "$3" ] || fail "$1 is '$3', not '$2'"; }

# until WHAT COMMAND...: until the command succeeds.
until_true() {
    local what=$1 end=$((SECONDS + PATIENCE))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || fail "$what: not within $PATIENCE s"
        sleep 0.2
    done
}

# shows TEXT COMMAND...: whether what the command prints holds the text.
shows() {
    local text=$1
    shift
    "$@" > "$WORK/shown" 2> "$WORK/wrong" && grep -qF -- "$text" "$WORK/shown"
}

# refused TEXT COMMAND...: the command fails, and says this.
refused() {
    local text=$1
    shift
    if "$@" > "$WORK/shown" 2> "$WORK/wrong"; then fail "not refused: $*"; fi
    grep -qF -- "$text" "$WORK/wrong" || fail "refused with '$(cat "$WORK/wrong")', not with '$text': $*"
}

# commas FILE: how many it holds; one less than the numbers in it.
commas() { tr -cd , < "$1" | wc -c | tr -d " "; }

# in_order FILE LINE...: the file holds these, in this order.
in_order() {
    local file=$1 line number=0 found
    shift
    for line in "$@"; do
        found=$(tail -n "+$((number + 1))" "$file" | grep -nF -m 1 -- "$line" | cut -d: -f1) || true
        [ -n "$found" ] || { cat "$file" >&2; fail "'$line' is not in the log, or not in its place"; }
        number=$((number + found))
    done
}

phone() { "${ALIGHT:-alight}" outbox --json --limit 100 --data "${ALIGHT_DATA:-.alight}"; }

# metric NAMESPACE NAME DIMENSION...: the sum of these two hours.
metric() {
    local namespace=$1 name=$2 now
    now=$(date +%s)
    shift 2
    aws cloudwatch get-metric-statistics --namespace "$namespace" --metric-name "$name" --dimensions "$@" \
        --start-time "$((now - 3600))" --end-time "$((now + 3600))" \
        --period 3600 --statistics Sum --query 'to_string(sum(Datapoints[].Sum))'
}

# counted NAMESPACE NAME DIMENSION...: it is no longer 0. What has been read outlives a kill; before, the last second may not.
counted() { until_true "$1 $2 above 0" above_0 "$@"; }

above_0() {
    local sum
    sum=$(metric "$@") && [ "$sum" != 0 ]
}

# role NAME SERVICE: a role that this service may assume.
role() {
    quiet aws iam create-role --role-name "$1" --path /service-role/ --assume-role-policy-document "{
        \"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"sts:AssumeRole\",
        \"Principal\": {\"Service\": \"$2.amazonaws.com\"}}]}"
}

# endpoint NAME BUCKET PACKAGE IMAGE: the package goes up, is a model, is served.
endpoint() {
    local arn=arn:aws:iam::$ACCOUNT:role/service-role/lab-model-role
    quiet aws s3 cp "$3" "s3://$2/output/model.tar.gz"
    quiet aws sagemaker create-model --model-name "$1" --execution-role-arn "$arn" \
        --primary-container "Image=$4,ModelDataUrl=s3://$2/output/model.tar.gz"
    quiet aws sagemaker create-endpoint-config --endpoint-config-name "$1" --production-variants \
        "[{\"VariantName\": \"variant-name-1\", \"ModelName\": \"$1\", \"InitialInstanceCount\": 1,
           \"InstanceType\": \"ml.m4.4xlarge\", \"InitialVariantWeight\": 1.0}]"
    quiet aws sagemaker create-endpoint --endpoint-name "$1" --endpoint-config-name "$1"
}

# served NAME, gone NAME: the waiters of the command line. They look every 30 s, so the first look comes when all is done.
served() {
    until_true "the endpoint" shows InService aws sagemaker describe-endpoint --endpoint-name "$1" --query EndpointStatus
    aws sagemaker wait endpoint-in-service --endpoint-name "$1"
}

gone() {
    until_true "the end of the endpoint" absent "$1"
    aws sagemaker wait endpoint-deleted --endpoint-name "$1"
}

absent() { ! quiet aws sagemaker describe-endpoint --endpoint-name "$1" 2> /dev/null; }

# Logs outlive what wrote them.
forget_logs() {
    local group
    for group in $(aws logs describe-log-groups --query logGroups[].logGroupName); do
        aws logs delete-log-group --log-group-name "$group"
    done
}

# Every list that `everything` names is empty.
nothing_is_left() {
    local service operation query left
    while read -r service operation query; do
        left=$(aws "$service" "$operation" --query "$query") || fail "$service $operation"
        [ -z "$left" ] || [ "$left" = None ] || fail "$service $operation still shows: $left"
    done < <(grep -v '^#' "$HERE/everything")
}
