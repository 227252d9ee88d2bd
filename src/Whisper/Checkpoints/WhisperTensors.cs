namespace AsrPlatform.Whisper.Checkpoints;

/// <summary>A parameter of the architecture.</summary>
/// <param name="Name">Its name as Hugging Face has it, with the <c>model.</c> prefix.</param>
/// <param name="Shape">Its dimensions.</param>
public sealed record WhisperTensor(string Name, IReadOnlyList<long> Shape);

/// <summary>The parameters that a configuration implies.</summary>
public static class WhisperTensors
{
    /// <summary>The output projection's name; absent from most files, because it is the token embedding.</summary>
    public const string OutputProjection = "proj_out.weight";

    /// <summary>The token embedding's name.</summary>
    public const string TokenEmbedding = "model.decoder.embed_tokens.weight";

    /// <summary>All parameters in the order of the computation. The output projection is listed only where it is not tied.</summary>
    public static IEnumerable<WhisperTensor> Of(WhisperConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        long d = config.DModel;
        var tensors = new List<WhisperTensor>();
        void Add(string name, params long[] shape) => tensors.Add(new WhisperTensor("model." + name, shape));
        void Norm(string name)
        {
            Add(name + ".weight", d);
            Add(name + ".bias", d);
        }

        void Linear(string name, long outputs, long inputs, bool bias = true)
        {
            Add(name + ".weight", outputs, inputs);
            if (bias)
            {
                Add(name + ".bias", outputs);
            }
        }

        void Attention(string name)
        {
            Linear(name + ".q_proj", d, d);
            Linear(name + ".k_proj", d, d, bias: false);
            Linear(name + ".v_proj", d, d);
            Linear(name + ".out_proj", d, d);
        }

        void FeedForward(string name, long inner)
        {
            Linear(name + ".fc1", inner, d);
            Linear(name + ".fc2", d, inner);
            Norm(name + ".final_layer_norm");
        }

        Add("encoder.conv1.weight", d, config.NumMelBins, 3);
        Add("encoder.conv1.bias", d);
        Add("encoder.conv2.weight", d, d, 3);
        Add("encoder.conv2.bias", d);
        Add("encoder.embed_positions.weight", config.MaxSourcePositions, d);
        for (var i = 0; i < config.EncoderLayers; i++)
        {
            var layer = $"encoder.layers.{i}";
            Attention(layer + ".self_attn");
            Norm(layer + ".self_attn_layer_norm");
            FeedForward(layer, config.EncoderFfnDim);
        }

        Norm("encoder.layer_norm");
        Add("decoder.embed_tokens.weight", config.VocabSize, d);
        Add("decoder.embed_positions.weight", config.MaxTargetPositions, d);
        for (var i = 0; i < config.DecoderLayers; i++)
        {
            var layer = $"decoder.layers.{i}";
            Attention(layer + ".self_attn");
            Norm(layer + ".self_attn_layer_norm");
            Attention(layer + ".encoder_attn");
            Norm(layer + ".encoder_attn_layer_norm");
            FeedForward(layer, config.DecoderFfnDim);
        }

        Norm("decoder.layer_norm");
        if (!config.TieWordEmbeddings)
        {
            tensors.Add(new WhisperTensor(OutputProjection, [config.VocabSize, d]));
        }

        return tensors;
    }
}
