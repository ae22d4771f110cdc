"""What runs inside a replica: one file per model format, and pictures, which several of them take.

onnx         model.onnx, no script
xgboost      xgboost-model, no script
rows         text/csv and text/libsvm -> numbers, for xgboost
selectable   what xgboost answers where names are asked for
sklearn      model.skops, no script
tflite       model.tflite, no script
pictures     a picture -> probabilities, for the image classifiers among them
script       code/inference.py
description  preprocess.json: from pixels to the model's input
images       bytes of a picture -> pixels
tensors      JSON, CSV, NPY <-> arrays
"""
