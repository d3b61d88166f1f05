"""A process with TensorFlow and nothing else: it runs signatures of a SavedModel, as a line of JSON asks for them.

Strings travel as Latin-1, so that every byte does. An error is an answer too. tfgen and Keras cannot be imported.
"""

import base64
import json
import sys
import traceback

_ABSENT = ("tfgen", "keras", "tf_keras")
sys.modules.update(dict.fromkeys(_ABSENT))  # so that importing one fails

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

_loaded = {}


def _object(directory, signature, inputs):
    """As `tf.saved_model.load` gives it, by the functions, which know their defaults."""
    if directory not in _loaded:
        _loaded[directory] = tf.saved_model.load(directory)
    function = getattr(_loaded[directory], signature)
    given = {name: tf.constant(value) for name, value in inputs.items()}
    if signature == "continue":
        settings = {"length", "temperature", "top_k", "top_p", "min_p"}
        state = {name: given.pop(name) for name in given.keys() - settings}
        return {name: value.numpy() for name, value in function(state, **given).items()}
    return {name: value.numpy() for name, value in function(**given).items()}


def _session(directory, signature, inputs):
    """As servers load it."""
    key = ("session", directory)
    if key not in _loaded:
        session = tf.compat.v1.Session(graph=tf.Graph())
        with session.graph.as_default():
            _loaded[key] = session, tf.compat.v1.saved_model.load(session, ["serve"], directory)
    session, meta = _loaded[key]
    definition = meta.signature_def[signature]
    fetched = {name: info.name for name, info in definition.outputs.items()}
    return session.run(fetched, {definition.inputs[name].name: value for name, value in inputs.items()})


def _from_json(value):
    array = np.array(value["values"], object if value["dtype"] == "bytes" else value["dtype"])
    encode = np.vectorize(lambda text: text.encode("latin-1"), otypes=[object])
    return encode(array) if value["dtype"] == "bytes" and array.size else array


def _to_json(value):
    array = np.asarray(value)
    if array.dtype == object:
        return {"dtype": "bytes", "values": [text.decode("latin-1") for text in array.tolist()]}
    return {
        "dtype": str(array.dtype),
        "shape": array.shape,
        "base64": base64.b64encode(np.ascontiguousarray(array)).decode(),
    }


def _answer(request):
    inputs = {name: _from_json(value) for name, value in request["inputs"].items()}
    if request["goes_on"]:
        inputs = {**_answer.state, **inputs}
    run = {"object": _object, "session": _session}[request["loader"]]
    outputs = run(request["directory"], request["signature"], inputs)
    _answer.state = {name: value for name, value in outputs.items() if name != "texts"}
    return {"outputs": {name: _to_json(value) for name, value in outputs.items()}}


_answer.state = {}


def main():
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            answer = _answer(json.loads(line))
        except Exception as error:
            answer = {"error": type(error).__name__, "message": str(error), "traceback": traceback.format_exc()}
        assert all(sys.modules[name] is None for name in _ABSENT)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
