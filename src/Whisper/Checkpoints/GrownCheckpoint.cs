using System.Globalization;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Whisper.Checkpoints;

/// <summary>Makes deeper checkpoints out of trained ones, which compute the same until they are trained further.</summary>
/// <remarks>
/// <para>
/// Training goes on from what the smaller model knows, as in Net2Net (Chen, Goodfellow and Shlens, arXiv 1511.05641) and in the stacking
/// of BERT's layers (Gong et al., 2019). A new layer is a copy of the trained layer before it, whose outputs onto the residual stream
/// (<c>self_attn.out_proj</c>, <c>encoder_attn.out_proj</c> and <c>fc2</c>, weights and biases) are zero, as in LLaMA Pro's block expansion
/// (Wu et al., arXiv 2401.02415): whatever goes in comes out unchanged, and yet the zeros have gradients from the first step on, for what
/// stands before them is not zero.
/// </para>
/// <para>
/// Trained layers keep their order. With L of them and n new ones, the j-th new layer (from 1) comes after the first ⌈j·L / (n + 1)⌉ trained
/// ones, several new ones in a row where n is above L: 4 become 6 as 0, 1, new, 2, new, 3; 2 become 4 as 0, new, 1, new.
/// </para>
/// </remarks>
public static class GrownCheckpoint
{
    private static readonly string[] ResidualOutputs = ["self_attn.out_proj.", "encoder_attn.out_proj.", "fc2."];

    /// <summary>
    /// Writes the folder. Everything but the number of layers is the source's: tokenizer, features, generation (its alignment heads under
    /// the layers' new numbers), widths, and the types of the weights. It is written aside and renamed, so that it is either whole or not there.
    /// </summary>
    /// <param name="source">The trained checkpoint's folder.</param>
    /// <param name="target">The folder to write; it must be missing or empty.</param>
    /// <param name="encoderLayers">Layers that the encoder is to have, no fewer than it has; null leaves them.</param>
    /// <param name="decoderLayers">Layers that the decoder is to have, no fewer than it has; null leaves them.</param>
    /// <param name="cancellationToken">Stops between two tensors; nothing is left behind.</param>
    /// <exception cref="AsrException">The source is broken or would lose layers or gain none, or the target is in use or cannot be written.</exception>
    public static void Write(string source, string target, int? encoderLayers, int? decoderLayers, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(source);
        ArgumentException.ThrowIfNullOrEmpty(target);
        using var checkpoint = WhisperCheckpoint.Open(source);
        var config = checkpoint.Config;
        var encoder = Plan(source, "encoder", config.EncoderLayers, encoderLayers);
        var decoder = Plan(source, "decoder", config.DecoderLayers, decoderLayers);
        if (encoder.Length == config.EncoderLayers && decoder.Length == config.DecoderLayers)
        {
            throw new AsrException(
                $"{source} has {config.EncoderLayers} encoder and {config.DecoderLayers} decoder layers, and is to have no more: say with --encoder-layers or --decoder-layers how many it grows to.");
        }

        AtomicFolder.Write(target, aside =>
        {
            var json = Config(config, encoder.Length, decoder.Length);
            CheckpointWeights.Write(aside, Entries(checkpoint, WhisperConfig.Parse(json), encoder, decoder, cancellationToken));
            CheckpointExport.CopyCompanions(source, aside);
            WriteHeads(checkpoint, aside, decoder);
            CheckpointExport.WriteText(Path.Combine(aside, WhisperConfig.FileName), json);
        });
    }

    /// <summary>Which trained layer each layer of a grown stack comes from, in order, and whether it is that layer or a copy of it.</summary>
    /// <param name="trained">Trained layers, at least 1.</param>
    /// <param name="layers">Layers to have, no fewer.</param>
    internal static (int Source, bool IsNew)[] Plan(int trained, int layers)
    {
        var plan = new List<(int Source, bool IsNew)>(layers);
        var added = layers - trained;
        var next = 1;
        for (var layer = 0; layer < trained; layer++)
        {
            plan.Add((layer, false));

            // Behind the first layer + 1 stand the new ones with ⌈j·L / (n + 1)⌉ = layer + 1.
            for (; next <= added && (long)next * trained <= (layer + 1L) * (added + 1); next++)
            {
                plan.Add((layer, true));
            }
        }

        return [.. plan];
    }

    private static (int Source, bool IsNew)[] Plan(string source, string stack, int trained, int? layers)
    {
        if (layers < trained)
        {
            throw new AsrException($"--{stack}-layers {layers}: {source} has {trained} {stack} layers, and growing takes none away.");
        }

        return layers > FreshCheckpoint.MaxLayers
            ? throw new AsrException($"--{stack}-layers {layers}: expected a whole number up to {FreshCheckpoint.MaxLayers}.")
            : Plan(trained, layers ?? trained);
    }

    private static string Config(WhisperConfig config, int encoderLayers, int decoderLayers)
    {
        var json = JsonNode.Parse(config.Json)!.AsObject();
        json["encoder_layers"] = encoderLayers;
        json["decoder_layers"] = decoderLayers;

        // transformers writes the encoder's layers under its general name too.
        if (json.ContainsKey("num_hidden_layers"))
        {
            json["num_hidden_layers"] = encoderLayers;
        }

        return CheckpointExport.Text(json);
    }

    private static IEnumerable<SafetensorsEntry> Entries(
        WhisperCheckpoint checkpoint, WhisperConfig grown, (int Source, bool IsNew)[] encoder, (int Source, bool IsNew)[] decoder, CancellationToken cancellationToken)
    {
        foreach (var tensor in WhisperTensors.Of(grown))
        {
            var (name, isZero) = Origin(Origin((tensor.Name, false), "model.encoder.layers.", encoder), "model.decoder.layers.", decoder);
            var from = checkpoint.Weights[name];
            yield return new SafetensorsEntry(tensor.Name, from.ElementType, tensor.Shape, stream =>
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (isZero)
                {
                    stream.Write(new byte[from.ByteLength]);
                }
                else
                {
                    stream.Write(from.Bytes);
                }
            });
        }
    }

    /// <summary>The source's name of a tensor, and whether the tensor is one of a new layer's that are zero.</summary>
    private static (string Name, bool IsZero) Origin((string Name, bool IsZero) tensor, string stack, (int Source, bool IsNew)[] plan)
    {
        if (!tensor.Name.StartsWith(stack, StringComparison.Ordinal))
        {
            return tensor;
        }

        var dot = tensor.Name.IndexOf('.', stack.Length);
        var rest = tensor.Name[(dot + 1)..];
        var (source, isNew) = plan[int.Parse(tensor.Name.AsSpan(stack.Length, dot - stack.Length), CultureInfo.InvariantCulture)];
        var isZero = isNew && Array.Exists(ResidualOutputs, output => rest.StartsWith(output, StringComparison.Ordinal));
        return (FormattableString.Invariant($"{stack}{source}.{rest}"), isZero);
    }

    private static void WriteHeads(WhisperCheckpoint checkpoint, string directory, (int Source, bool IsNew)[] decoder)
    {
        // Heads that the source lacks (a teacher's, in distilled checkpoints) are none of its own, and must not become some of the grown one's.
        if (ConfigFile.TryOpen(checkpoint.Directory, GenerationConfig.FileName)?.OptionalPairs("alignment_heads") is not null)
        {
            GenerationConfig.WriteAlignmentHeads(
                directory, [.. checkpoint.Generation.AlignmentHeads.Select(head => head with { Layer = Array.IndexOf(decoder, (head.Layer, false)) })]);
        }
    }
}
