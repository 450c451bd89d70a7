"""Writes golden.tfevents with TensorBoard's own protocol buffers (pip install tensorboard)."""
import os
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

T = 1700000000.25
Value = summary_pb2.Summary.Value
start = event_pb2.Event(wall_time=T, file_version="brain.Event:2")
purge = event_pb2.Event(wall_time=T, step=31)
purge.session_log.status = event_pb2.SessionLog.START
scalars = event_pb2.Event(wall_time=T, step=31, summary=summary_pb2.Summary(value=[
    Value(tag="train/nll", simple_value=3.25), Value(tag="train/lr", simple_value=0.001)]))
text = event_pb2.Event(wall_time=T, step=0, summary=summary_pb2.Summary(value=[Value(
    tag="config/text_summary",
    metadata=summary_pb2.SummaryMetadata(plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="text")),
    tensor=tensor_pb2.TensorProto(
        dtype=types_pb2.DT_STRING,
        tensor_shape=tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=1)]),
        string_val=["**batch** 16".encode()]))]))
again = event_pb2.Event(wall_time=T, step=32, summary=summary_pb2.Summary(value=[Value(tag="train/nll", simple_value=3)]))
session = plugin_data_pb2.HParamsPluginData(version=0)
session.session_start_info.start_time_secs = T
session.session_start_info.group_name = "runs/a"
session.session_start_info.hparams["optimizer.lr"].number_value = 0.001
session.session_start_info.hparams["train.recompute"].bool_value = True
session.session_start_info.hparams["model.family"].string_value = "gpt2"
hparams = event_pb2.Event(wall_time=T, summary=summary_pb2.Summary(value=[Value(
    tag="_hparams_/session_start_info",
    metadata=summary_pb2.SummaryMetadata(plugin_data=summary_pb2.SummaryMetadata.PluginData(
        plugin_name="hparams", content=session.SerializeToString(deterministic=True))),
    tensor=tensor_pb2.TensorProto(
        dtype=types_pb2.DT_FLOAT,
        tensor_shape=tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=0)])))]))

with open(os.path.join(os.path.dirname(__file__), "golden.tfevents"), "wb") as f:
    w = RecordWriter(f)
    for e in (start, purge, scalars, text, hparams, again):
        w.write(e.SerializeToString(deterministic=True))
