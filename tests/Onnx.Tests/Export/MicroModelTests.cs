using AsrPlatform.Onnx.Export;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Onnx.Tests.Export;

/// <summary>A checkpoint with the real vocabulary says through its exported graphs what Hugging Face's <c>generate</c> says.</summary>
public sealed class MicroModelTests : IClassFixture<MicroModelTests.Exported>
{
    private readonly Exported _exported;

    public MicroModelTests(Exported exported) => _exported = exported;

    [Theory]
    [InlineData("fox")]
    [InlineData("jfk")]
    public void MergedDecoder_DecodesGreedilyWhatGenerateDoes(string audio)
    {
        var expected = Fixtures.Lines("decode/short.jsonl")
            .Single(line => line["case"]!.GetValue<string>() == "greedy" && line["audio"]!.ToString() == audio)["ids"]!.AsArray()
            .Select(id => id!.GetValue<int>()).ToArray();
        const int Prefix = 4;
        var found = Greedy(audio, expected[..Prefix], expected.Length);
        Assert.Equal(expected, found);
    }

    private List<int> Greedy(string audio, int[] prefix, int length)
    {
        var generation = GenerationConfig.Load(Fixtures.Path("micro"), WhisperConfig.Load(Fixtures.Path("micro")));
        using var encoder = new Graph(Path.Combine(_exported.Directory, "encoder_model.onnx"));
        var states = encoder.Run(("input_features", Graph.Value(FeatureFixture.Read(audio), 1, 80, 3000)))["last_hidden_state"];
        using var decoder = new Graph(Path.Combine(_exported.Directory, "decoder_model_merged.onnx"));
        var pastNames = decoder.Session.InputNames.Where(name => name.StartsWith("past_key_values", StringComparison.Ordinal)).ToArray();
        var ids = new List<int>(prefix);
        var fed = Array.ConvertAll(prefix, id => (long)id);
        var past = pastNames.ToDictionary(name => name, name =>
        {
            var shape = decoder.Session.InputMetadata[name].Dimensions;
            return (Values: new float[shape[1] * shape[3]], Shape: new long[] { 1, shape[1], 1, shape[3] });
        });
        while (ids.Count < length)
        {
            var outputs = decoder.Run(
            [
                ("input_ids", Graph.Value(fed, 1, fed.Length)),
                ("encoder_hidden_states", Graph.Value(states)),
                .. past.Select(pair => (pair.Key, Graph.Value(pair.Value))),
                ("use_cache_branch", Graph.Value(new[] { ids.Count > prefix.Length }, 1)),
            ]);
            foreach (var name in pastNames.Where(name => ids.Count == prefix.Length || name.Contains("decoder", StringComparison.Ordinal)))
            {
                past[name] = outputs[name.Replace("past_key_values", "present", StringComparison.Ordinal)];
            }

            var logits = outputs["logits"].Values.AsSpan((fed.Length - 1) * (outputs["logits"].Values.Length / fed.Length));
            foreach (var id in generation.SuppressTokens.Concat(ids.Count == prefix.Length ? generation.BeginSuppressTokens : []))
            {
                logits[id] = float.NegativeInfinity;
            }

            ids.Add(System.Numerics.Tensors.TensorPrimitives.IndexOfMax(logits));
            fed = [ids[^1]];
        }

        return ids;
    }

    /// <summary>The export, made once.</summary>
    public sealed class Exported : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public Exported() => OnnxExport.Write(Fixtures.Path("micro"), Directory, new OnnxExportOptions());

        public string Directory => _folder.File("micro");

        public void Dispose() => _folder.Dispose();
    }
}
