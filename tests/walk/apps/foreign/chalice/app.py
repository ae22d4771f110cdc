"""One Chalice app: its event handlers and its routes are the functions' handlers, as `chalice package` names them."""

import json

from chalice import Chalice, Response

app = Chalice(app_name="pictures", debug=True)


@app.on_s3_event(bucket="foreign-pictures", events=["s3:ObjectCreated:*"], prefix="chalice/")
def on_put(event):
    app.log.info("put %s", event.key)
    record = event.to_dict()["Records"][0]
    return {"bucket": event.bucket, "key": event.key, "record": record, "id": event.context.aws_request_id}


@app.on_sns_message(topic="put")
def on_told(event):
    [record] = json.loads(event.message)["Records"]
    return {"subject": event.subject, "key": record["s3"]["object"]["key"], "attributes": event.message_attributes}


@app.on_sqs_message(queue="envelopes", batch_size=10)
def on_queued(event):
    return [{"body": record.body, "receipt": record.receipt_handle} for record in event]


@app.route("/my/path", methods=["GET"])
def path():
    return {"query": app.current_request.query_params, "header": app.current_request.headers["header1"]}


@app.route("/my/path", methods=["POST"])
def post():
    return Response(body=app.current_request.json_body["say"], status_code=201, headers={"Content-Type": "text/plain"})
