#!/usr/bin/env bash
# The sentiment web app with the aws command line alone, on an empty account: from the first role to an empty account again.
#
#   alight up                                        in one terminal
#   eval "$(alight env)"; tests/labs/sentiment.sh    in another

source "$(dirname "${BASH_SOURCE[0]}")/lab.sh"

BUCKET=sagemaker-us-east-1-$ACCOUNT
SITE=sentiment-analysis-web-app-lab
ENDPOINT=xgboost-2026-11-28-12-00-00-000
FUNCTION=sentiment_analysis_xgboost_func
IMAGE=811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:1
EXAMPLE=$EXAMPLES/sentiment
GOOD='What a wonderful film: moving, funny & "beautifully" acted.'
BAD='A dull, tedious and stupid mess; I was bored.'

# ask REVIEW: what the page sends for it, and the answer's body; the head is in $WORK/head.
ask() {
    curl --silent --show-error --fail --noproxy '*' --max-time 60 --dump-header "$WORK/head" "$url" \
        -H 'Content-Type: text/plain;charset=UTF-8' -H 'Origin: null' --data-raw "$1"
}

# page PATH: a file of the website, as anybody sees it.
page() { curl --silent --show-error --fail --noproxy '*' --max-time 60 "$AWS_ENDPOINT_URL/_aws/s3-website/$SITE/$1"; }

# rows NUMBER: so many reviews without a known word, as the model's input.
rows() { for _ in $(seq "$1"); do printf '0,%.0s' $(seq 4999); echo 0; done; }

step "Roles: one for the function, one for the model"
role LambdaSageMakerRole lambda
role lab-model-role sagemaker
aws iam attach-role-policy --role-name LambdaSageMakerRole --policy-arn arn:aws:iam::aws:policy/AmazonSageMakerFullAccess
aws iam attach-role-policy --role-name lab-model-role --policy-arn arn:aws:iam::aws:policy/AmazonSageMakerFullAccess

step "Bucket, model, endpoint configuration, endpoint"
quiet aws s3 mb "s3://$BUCKET"
endpoint "$ENDPOINT" "$BUCKET" "$EXAMPLE/model.tar.gz" "$IMAGE"

step "The endpoint is in service: one number for one review, commas between more"
served "$ENDPOINT"
rows 3 > "$WORK/rows"
quiet aws sagemaker-runtime invoke-endpoint --endpoint-name "$ENDPOINT" --content-type text/csv \
    --body "fileb://$WORK/rows" "$WORK/answer"
same "the commas between the probabilities" 2 "$(commas "$WORK/answer")"

step "The function and its vocabulary"
(cd "$EXAMPLE/src" && zip -q9 "$WORK/package.zip" app.py words.py vocabulary.json)
quiet aws lambda create-function --function-name "$FUNCTION" --runtime python3.6 --handler app.handler --timeout 29 \
    --role "arn:aws:iam::$ACCOUNT:role/service-role/LambdaSageMakerRole" --zip-file "fileb://$WORK/package.zip" \
    --environment "Variables={SAGEMAKER_ENDPOINT_NAME=$ENDPOINT}"

step "The API: POST on /, proxied to the function"
api=$(aws apigateway create-rest-api --name sentiment_analysis_web_app --query id)
root=$(aws apigateway get-resources --rest-api-id "$api" --query 'items[0].id')
quiet aws apigateway put-method --rest-api-id "$api" --resource-id "$root" --http-method POST --authorization-type NONE
function=arn:aws:lambda:us-east-1:$ACCOUNT:function:$FUNCTION
quiet aws apigateway put-integration --rest-api-id "$api" --resource-id "$root" --http-method POST --type AWS_PROXY \
    --integration-http-method POST \
    --uri "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/$function/invocations"
quiet aws lambda add-permission --function-name "$FUNCTION" --statement-id from-api --action lambda:InvokeFunction \
    --principal apigateway.amazonaws.com --source-arn "arn:aws:execute-api:us-east-1:$ACCOUNT:$api/*/POST/"

step "The stage prod"
quiet aws apigateway create-deployment --rest-api-id "$api" --stage-name prod
url=$AWS_ENDPOINT_URL/_aws/execute-api/$api/prod

step "Two reviews, as the page sends them"
same "the answer to a good review" 1 "$(ask "$GOOD")"
grep -qi '^access-control-allow-origin: \*' "$WORK/head" || fail "a page from a file may not read the answer"
same "the answer to a bad review" 0 "$(ask "$BAD")"
counted AWS/ApiGateway Count Name=ApiName,Value=sentiment_analysis_web_app
counted AWS/Lambda Invocations "Name=FunctionName,Value=$FUNCTION"

step "The figures are still there"
counted AWS/Lambda Invocations "Name=FunctionName,Value=$FUNCTION"

step "The page, in a bucket that is a website"
quiet aws s3 mb "s3://$SITE"
aws s3 website "s3://$SITE" --index-document index.html --error-document error.html
aws s3api put-public-access-block --bucket "$SITE" --public-access-block-configuration \
    BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=false,RestrictPublicBuckets=false
aws s3api put-bucket-policy --bucket "$SITE" --policy '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
    "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::'"$SITE"'/*"}]}'
quiet aws s3 sync "$EXAMPLE/site" "s3://$SITE"
echo "window.SENTIMENT_API = '$url';" > "$WORK/config.js"
quiet aws s3 cp "$WORK/config.js" "s3://$SITE/config.js"

step "Anybody may read the page, and it knows the API"
shows "What did you think of the film?" page "" || fail "the page is not served"
shows "$url" page config.js || fail "the page does not know the API"

step "Clean up"
aws apigateway delete-rest-api --rest-api-id "$api"
refused "error: 403" ask "$GOOD"
aws lambda delete-function --function-name "$FUNCTION"
aws sagemaker delete-endpoint --endpoint-name "$ENDPOINT"
aws sagemaker delete-endpoint-config --endpoint-config-name "$ENDPOINT"
aws sagemaker delete-model --model-name "$ENDPOINT"
quiet aws s3 rb --force "s3://$BUCKET"
quiet aws s3 rb --force "s3://$SITE"

step "The last of it, and nothing is left"
gone "$ENDPOINT"
for name in LambdaSageMakerRole lab-model-role; do
    aws iam detach-role-policy --role-name "$name" --policy-arn arn:aws:iam::aws:policy/AmazonSageMakerFullAccess
    aws iam delete-role --role-name "$name"
done
forget_logs
nothing_is_left
echo "The sentiment lab is done, and the account is empty."
