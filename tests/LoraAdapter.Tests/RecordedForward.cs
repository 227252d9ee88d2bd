using System.Runtime.InteropServices;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.WhisperTorch.Model;

namespace AsrPlatform.LoraAdapter.Tests;

/// <summary>The loss of whole sequences with gradients, written down plainly.</summary>
internal static class RecordedForward
{
    /// <summary>Mean cross-entropy of some of the trainer's examples.</summary>
    public static Tensor Loss(WhisperModel model, int[] examples)
    {
        var mode = new ForwardMode(InPlace: false);
        using var batches = SafetensorsFile.Open(TrainerFixtures.Path("batches.safetensors"));
        var all = batches.Tensors["input_features"];
        var size = (int)(all.Shape[1] * all.Shape[2]);
        var features = empty(examples.Length, all.Shape[1], all.Shape[2]);
        for (var row = 0; row < examples.Length; row++)
        {
            all.CopyTo(MemoryMarshal.Cast<byte, float>(features.bytes).Slice(row * size, size), examples[row] * (long)size);
        }

        const int Start = 255;
        const int Pad = 256;
        var stored = TrainerFixtures.Integers(batches.Tensors["labels"]);
        var length = (int)batches.Tensors["labels"].Shape[1];
        var labels = examples.SelectMany(example => stored.Skip(example * length).Take(length)).Select(label => (long)label).ToArray();
        var inputs = labels.Select((_, i) => i % length == 0 ? Start : labels[i - 1] < 0 ? Pad : labels[i - 1]).ToArray();
        var positions = labels.Select((_, i) => (long)(i % length)).ToArray();

        var states = model.Encoder.Forward(features, mode);
        var hidden = model.Decoder.Embed(tensor(inputs), tensor(positions), examples.Length, mode);
        hidden = model.Decoder.Forward(hidden, examples.Length, new Sequences(model, states, examples.Length, mode), mode);
        var logits = model.Decoder.Project(hidden, examples.Length, mode);
        return nn.functional.cross_entropy(logits, tensor(labels), ignore_index: -100);
    }

    private sealed class Sequences(WhisperModel model, Tensor states, int batch, ForwardMode mode) : IDecoderContext
    {
        private readonly int _heads = model.Info.DecoderHeads;

        public Tensor OverTarget(int layer, Tensor projected)
        {
            var parts = projected.chunk(3, -1);
            return Attend(parts[0], parts[1], parts[2], causal: true);
        }

        public Tensor OverSource(int layer, Tensor queries)
        {
            var width = states.shape[^1];
            var parts = model.Decoder.Layers[layer].SourceMemory.Forward(states.view(-1, width), batch, mode).chunk(2, -1);
            return Attend(queries, parts[0], parts[1], causal: false);
        }

        private Tensor Attend(Tensor queries, Tensor keys, Tensor values, bool causal)
        {
            var width = queries.shape[^1];
            var headWidth = width / _heads;
            var scores = Split(queries).mul(1 / Math.Sqrt(headWidth)).matmul(Split(keys).transpose(-1, -2));
            if (causal)
            {
                var length = scores.shape[^1];
                scores = scores.add(full(length, length, float.NegativeInfinity).triu(1));
            }

            return scores.softmax(-1).matmul(Split(values)).transpose(1, 2).reshape(-1, width);

            Tensor Split(Tensor rows) => rows.reshape(batch, -1, _heads, headWidth).transpose(1, 2);
        }
    }
}
