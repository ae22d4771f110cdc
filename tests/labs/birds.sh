#!/usr/bin/env bash
# The bird lab with the aws command line alone, on an empty account: from the first role to an empty account again.
#
#   alight up                                   in one terminal
#   eval "$(alight env)"; tests/labs/birds.sh   in another

source "$(dirname "${BASH_SOURCE[0]}")/lab.sh"

BUCKET=deeplens-sagemaker-20261128-lab
ENDPOINT=nabirds-species-identifier01-01
FUNCTION=IdentifySpeciesAndNotify01-01
TOPIC=deeplens-sagemaker-birdpic-arrived01
IMAGE=811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:1
PICTURES=$EXAMPLES/birds/pictures

tail_of_log() { aws logs tail "/aws/lambda/$FUNCTION" --since 1d --format short; }

# package FILE HANDLER: a zip as deploy_lambda.sh makes it, with numpy for Python 3.6 (here an empty shell of it).
package() {
    local numpy=$WORK/package/numpy
    rm -rf "$WORK/package" "$1"
    mkdir -p "$numpy/core" "$numpy-1.15.4.dist-info"
    cp "$2" "$EXAMPLES/birds/src/labels.txt" "$WORK/package"
    echo "from . import core" > "$numpy/__init__.py"
    echo "from . import multiarray" > "$numpy/core/__init__.py"
    printf '\177ELF' > "$numpy/core/multiarray.cpython-36m-x86_64-linux-gnu.so"
    printf 'Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp36-cp36m-manylinux1_x86_64\n' \
        > "$numpy-1.15.4.dist-info/WHEEL"
    (cd "$WORK/package" && zip -qr9 "$1" .)
}

step "Roles: one for the function, one for the model"
role lab-lambda-role lambda
role lab-model-role sagemaker
quiet aws iam attach-role-policy --role-name lab-lambda-role --policy-arn arn:aws:iam::aws:policy/AmazonSageMakerFullAccess
quiet aws iam put-role-policy --role-name lab-lambda-role --policy-name workshop --policy-document '{
    "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*",
    "Action": ["s3:GetObject", "sns:Publish", "logs:*"]}]}'
quiet aws iam attach-role-policy --role-name lab-model-role --policy-arn arn:aws:iam::aws:policy/AmazonSageMakerFullAccess

step "Bucket, model, endpoint configuration, endpoint"
for kind in model endpoint-config endpoint; do  # as lab3_shortcut.sh: what is not there fails quietly
    if aws sagemaker "delete-$kind" "--$kind-name" "$ENDPOINT" 2> /dev/null; then fail "$kind was there"; fi
done
quiet aws s3 mb "s3://$BUCKET"
endpoint "$ENDPOINT" "$BUCKET" "$EXAMPLES/birds/model.tar.gz" "$IMAGE"

step "The endpoint is in service and knows a picture"
served "$ENDPOINT"
quiet aws sagemaker-runtime invoke-endpoint --endpoint-name "$ENDPOINT" --content-type application/x-image \
    --body "fileb://$PICTURES/king-penguin.jpg" "$WORK/answer"
same "the commas between the probabilities" 58 "$(commas "$WORK/answer")"
refused "Endpoint nobody of account $ACCOUNT not found." \
    aws sagemaker-runtime invoke-endpoint --endpoint-name nobody --body "fileb://$PICTURES/duck.jpg" "$WORK/answer"

step "The function, from a zip with numpy for another Python"
package "$WORK/package.zip" "$HERE/apps/birds/lambda_function.py"
made=$(aws lambda create-function --function-name "$FUNCTION" --runtime python3.6 \
    --handler lambda_function.lambda_handler --role "arn:aws:iam::$ACCOUNT:role/service-role/lab-lambda-role" \
    --environment "Variables={SAGEMAKER_ENDPOINT_NAME=$ENDPOINT}" --zip-file "fileb://$WORK/package.zip" \
    --query '[Timeout, MemorySize, StateReason]')
in_order <(echo "$made") "$(printf '3\t128\tnumpy in the package is built for Python 3.6')"  # and AWS's defaults

step "The trigger: birds/*.jpg"
quiet aws lambda add-permission --function-name "$FUNCTION" --statement-id from-s3 --action lambda:InvokeFunction \
    --principal s3.amazonaws.com --source-arn "arn:aws:s3:::$BUCKET" --source-account "$ACCOUNT"
quiet aws s3api put-bucket-notification-configuration --bucket "$BUCKET" --notification-configuration '{
    "LambdaFunctionConfigurations": [{"Events": ["s3:ObjectCreated:*"],
    "LambdaFunctionArn": "arn:aws:lambda:us-east-1:'"$ACCOUNT:function:$FUNCTION"'",
    "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "birds/"}, {"Name": "suffix", "Value": ".jpg"}]}}}]}'

step "Pictures: one that the trigger wants, two that it does not"
quiet aws s3 cp "$PICTURES/duck.jpg" "s3://$BUCKET/other/duck.jpg"
quiet aws s3 cp "$PICTURES/duck.jpg" "s3://$BUCKET/birds/duck.png"
quiet aws s3 cp "$PICTURES/king-penguin.jpg" "s3://$BUCKET/birds/"

step "The log: what was handled, and that there is no topic yet"
until_true "the end of the handler in the log" shows "REPORT RequestId: " tail_of_log
in_order "$WORK/shown" "START RequestId: " "KEY: birds/king-penguin.jpg" \
    "CONTENT LENGTH: $(wc -c < "$PICTURES/king-penguin.jpg" | tr -d " ")" "CONTENT TYPE: image/jpeg" \
    "Invoking bird species identification endpoint" "msg: Bird [birds/king-penguin.jpg] is a: King Penguin(0.98)" \
    "'SNS_TOPIC_ARN'" "Error publishing message to SNS." "END RequestId: " "REPORT RequestId: "
counted AWS/Lambda Invocations "Name=FunctionName,Value=$FUNCTION"
counted AWS/SageMaker Invocations "Name=EndpointName,Value=$ENDPOINT" Name=VariantName,Value=variant-name-1

step "The figures are still there"
counted AWS/Lambda Invocations "Name=FunctionName,Value=$FUNCTION"

step "The topic and a phone"
topic=$(aws sns create-topic --name "$TOPIC" --attributes DisplayName=birds --query TopicArn)
quiet aws sns subscribe --topic-arn "$topic" --protocol sms --notification-endpoint +16035551212
quiet aws sns publish --topic-arn "$topic" --subject "Hello world" --message "Machine learning is fun!"
until_true "the greeting on the phone" shows "Machine learning is fun!" phone
quiet aws lambda update-function-configuration --function-name "$FUNCTION" \
    --environment "Variables={SAGEMAKER_ENDPOINT_NAME=$ENDPOINT,SNS_TOPIC_ARN=$topic}"
same "the first version" 1 "$(aws lambda publish-version --function-name "$FUNCTION" --description "tells a topic" \
    --query Version)"

step "A picture that somebody is told about"
quiet aws s3 cp "$PICTURES/flamingo.jpg" "s3://$BUCKET/birds/11_28/14_05/1795000000_0.jpg"

step "The phone has it"
until_true "the message on the phone" shows "Bird [birds/11_28/14_05/1795000000_0.jpg] is a: Flamingo(" phone
until_true "the topic's answer in the log" shows "SNS Publish Response: {" tail_of_log
if grep -F duck "$WORK/shown"; then fail "a picture that the trigger does not want was handled"; fi

step "New code is a new version"
sed 's/ is a: / is, I am sure, a: /' "$HERE/apps/birds/lambda_function.py" > "$WORK/lambda_function.py"
package "$WORK/package.zip" "$WORK/lambda_function.py"
same "the version of the new code" 2 "$(aws lambda update-function-code --publish --function-name "$FUNCTION" \
    --zip-file "fileb://$WORK/package.zip" --query Version)"
same "all versions" "$(printf '$LATEST\t1\t2')" "$(aws lambda list-versions-by-function --function-name "$FUNCTION" \
    --query 'Versions[].Version')"
quiet aws s3 cp "$PICTURES/vulture.jpg" "s3://$BUCKET/birds/"

step "The new code has handled the next picture"
until_true "the new sentence on the phone" shows "Bird [birds/vulture.jpg] is, I am sure, a: Vulture(" phone

step "Clean up"
for subscription in $(aws sns list-subscriptions-by-topic --topic-arn "$topic" --query Subscriptions[].SubscriptionArn); do
    aws sns unsubscribe --subscription-arn "$subscription"
done
aws sns delete-topic --topic-arn "$topic"
quiet aws s3 rb --force "s3://$BUCKET"
aws lambda delete-function --function-name "$FUNCTION"
aws sagemaker delete-endpoint --endpoint-name "$ENDPOINT"
aws sagemaker delete-endpoint-config --endpoint-config-name "$ENDPOINT"
aws sagemaker delete-model --model-name "$ENDPOINT"

step "The last of it, and nothing is left"
gone "$ENDPOINT"
aws iam detach-role-policy --role-name lab-lambda-role --policy-arn arn:aws:iam::aws:policy/AmazonSageMakerFullAccess
aws iam detach-role-policy --role-name lab-model-role --policy-arn arn:aws:iam::aws:policy/AmazonSageMakerFullAccess
aws iam delete-role-policy --role-name lab-lambda-role --policy-name workshop
aws iam delete-role --role-name lab-lambda-role
aws iam delete-role --role-name lab-model-role
forget_logs
nothing_is_left
echo "The bird lab is done, and the account is empty."
