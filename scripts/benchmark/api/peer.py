"""The peer of the local API: FastAPI with ONNX Runtime, one process, uvloop and httptools where they are there."""

import sys

import numpy
import onnxruntime
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class Tensor(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class Inference(BaseModel):
    inputs: list[Tensor]


options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options)
app = FastAPI()


@app.post("/v2/models/load/infer")
async def infer(request: Inference):
    tensor = request.inputs[0]
    rows = numpy.array(tensor.data, dtype=numpy.float32).reshape(tensor.shape)
    (values,) = session.run(None, {"features": rows})
    output = {"name": "forecast", "shape": list(values.shape), "datatype": "FP32", "data": values.ravel().tolist()}
    return {"model_name": "load", "model_version": "1", "outputs": [output]}


uvicorn.run(app, port=int(sys.argv[2]), log_level="error", access_log=False)
