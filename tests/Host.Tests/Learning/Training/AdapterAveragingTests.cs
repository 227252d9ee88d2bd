using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Training;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Host.Tests.Learning.Training;

public sealed class AdapterAveragingTests : IDisposable
{
    private const string Linear = "base_model.model.model.decoder.layers.0.fc1";
    private const string Convolution = "base_model.model.model.encoder.conv1";
    private const string Bias = "base_model.model.model.decoder.layers.0.fc1.base_layer.bias";
    private const int Rank = 3;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0.5, false)]
    [InlineData(0.25, false)]
    [InlineData(0.9, true)]
    public void Average_WithTheSumOfTheRanks_IsTheAverageOfTheDeltas(double share, bool rsLora)
    {
        var (first, second) = (Adapter("a", 1, rsLora), Adapter("b", 2, rsLora));
        var averaged = AdapterAveraging.Average(first, second, share, _folder.File("out"), rank: 2 * Rank);
        Assert.Equal(2 * Rank, averaged.Rank);
        Assert.Equal(0, averaged.Error, 1e-6);
        foreach (var module in new[] { Linear, Convolution })
        {
            var expected = Mean(Delta(first, module), Delta(second, module), share);
            Assert.Equal(0, Distance(expected, Delta(_folder.File("out"), module)), 1e-6 * Norm(expected));
        }

        // The mean of the factors is something else.
        using var a = Open(first);
        using var b = Open(second);
        var factors = Product(
            Mean(Doubles(a[Linear + ".lora_B.weight"]), Doubles(b[Linear + ".lora_B.weight"]), share),
            Mean(Doubles(a[Linear + ".lora_A.weight"]), Doubles(b[Linear + ".lora_A.weight"]), share),
            Rank);
        Assert.True(Distance(factors, Mean(Delta(first, Linear), Delta(second, Linear), share)) > 0.1);
    }

    [Fact]
    public void Average_WithTheOwnRank_IsTheNearestOfThatRankAndTellsWhatItLeavesOut()
    {
        var (first, second) = (Adapter("a", 1), Adapter("b", 2));
        var averaged = AdapterAveraging.Average(first, second, 0.5, _folder.File("out"));
        Assert.Equal(Rank, averaged.Rank);
        Assert.InRange(averaged.Error, 0.05, 0.8);
        var (left, all) = (0.0, 0.0);
        foreach (var module in new[] { Linear, Convolution })
        {
            var expected = Mean(Delta(first, module), Delta(second, module), 0.5);
            left += Math.Pow(Distance(expected, Delta(_folder.File("out"), module)), 2);
            all += Math.Pow(Norm(expected), 2);

            // What is left out is orthogonal to what is kept: so it is of the singular value decomposition.
            var kept = Delta(_folder.File("out"), module);
            Assert.Equal(0, kept.Zip(expected, (k, e) => k * (e - k)).Sum(), 1e-5 * all);
        }

        Assert.Equal(Math.Sqrt(left / all), averaged.Error, 1e-5);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Average_OfAllOfOne_IsThatOne(double share)
    {
        var (first, second) = (Adapter("a", 1), Adapter("b", 2));
        Assert.Equal(0, AdapterAveraging.Average(first, second, share, _folder.File("out")).Error, 1e-6);
        Assert.Equal(0, Distance(Delta(share == 0 ? first : second, Linear), Delta(_folder.File("out"), Linear)), 1e-5);
    }

    [Fact]
    public void Average_WithAnAdapterThatChangesNothing_HalvesTheDelta()
    {
        var (first, second) = (Adapter("a", 1), Adapter("b", 2, zero: true));
        Assert.Equal(0, AdapterAveraging.Average(first, second, 0.5, _folder.File("out")).Error, 1e-6);
        Assert.Equal(0, Distance([.. Delta(first, Linear).Select(value => value / 2)], Delta(_folder.File("out"), Linear)), 1e-5);
        Assert.All(Delta(_folder.File("out"), Linear), value => Assert.True(double.IsFinite(value)));
    }

    [Fact]
    public void Scale_ChangesTheBaseByTheShareAlone()
    {
        var adapter = Adapter("a", 1, hasBias: false);
        AdapterAveraging.Scale(adapter, 0.75, _folder.File("out"));
        foreach (var module in new[] { Linear, Convolution })
        {
            Assert.Equal(0, Distance([.. Delta(adapter, module).Select(value => 0.75 * value)], Delta(_folder.File("out"), module)), 1e-5);
        }

        Assert.Equal(
            JsonNode.Parse(File.ReadAllText(Path.Combine(adapter, "adapter_config.json")))!.ToJsonString(),
            JsonNode.Parse(File.ReadAllText(_folder.File("out/adapter_config.json")))!.ToJsonString());
        Assert.Contains("exists", Assert.Throws<AsrException>(() => AdapterAveraging.Scale(adapter, 0.5, _folder.File("out"))).Message, StringComparison.Ordinal);
        Assert.Contains("from 0 to 1", Assert.Throws<AsrException>(() => AdapterAveraging.Scale(adapter, -1, _folder.File("other"))).Message, StringComparison.Ordinal);

        // A bias of its own is no change that a share of could be made.
        Assert.Contains("only plain LoRA adapters can be scaled", Assert.Throws<AsrException>(() => AdapterAveraging.Scale(Adapter("b", 1), 0.5, _folder.File("other"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Average_LeavesAWholeFolderOfTheSameConfiguration()
    {
        var (first, second) = (Adapter("a", 1), Adapter("b", 2));
        var other = JsonNode.Parse(File.ReadAllText(Path.Combine(second, "adapter_config.json")))!;
        other["target_modules"] = new JsonArray("fc1", "conv1");
        other["peft_version"] = "0.1";
        other["use_dora"] = false;
        File.WriteAllText(Path.Combine(second, "adapter_config.json"), other.ToJsonString());
        AdapterAveraging.Average(first, second, 0.5, _folder.File("out"));
        var config = JsonNode.Parse(File.ReadAllText(_folder.File("out/adapter_config.json")))!;
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(File.ReadAllText(Path.Combine(first, "adapter_config.json"))), config), config.ToJsonString());
        AdapterAveraging.Average(first, second, 0.5, _folder.File("wide"), rank: 6);
        config = JsonNode.Parse(File.ReadAllText(_folder.File("wide/adapter_config.json")))!;
        Assert.Equal((6, 24), (config["r"]!.GetValue<int>(), config["lora_alpha"]!.GetValue<int>()));
        using var file = Open(_folder.File("out"));
        using var a = Open(first);
        using var b = Open(second);
        Assert.Equal(a.Tensors.Keys.Order(StringComparer.Ordinal), file.Tensors.Keys.Order(StringComparer.Ordinal));
        Assert.All(file.Tensors, pair => Assert.Equal(a[pair.Key].Shape.ToArray(), pair.Value.Shape.ToArray()));
        Assert.Equal(a[Bias].ToSingle().Zip(b[Bias].ToSingle(), (x, y) => (x + y) / 2), file[Bias].ToSingle());
        Assert.Equal(["a", "b", "out", "wide"], Directory.GetFileSystemEntries(_folder.Root).Select(Path.GetFileName).Order());
    }

    [Theory]
    [InlineData("lora_alpha", "13", "different settings (lora_alpha)")]
    [InlineData("target_modules", "[\"fc2\"]", "different settings (target_modules)")]
    [InlineData("use_dora", "true", "use_dora")]
    [InlineData("rank_pattern", "{\"fc1\": 4}", "rank_pattern")]
    [InlineData("peft_type", "\"IA3\"", "IA3")]
    public void Average_OfWhatCannotBeAveraged_SaysWhyAndLeavesNothing(string key, string value, string reason)
    {
        var (first, second) = (Adapter("a", 1), Adapter("b", 2));
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(second, "adapter_config.json")))!;
        config[key] = JsonNode.Parse(value);
        File.WriteAllText(Path.Combine(second, "adapter_config.json"), config.ToJsonString());
        Assert.Contains(reason, Assert.Throws<AsrException>(() => AdapterAveraging.Average(first, second, 0.5, _folder.File("out"))).Message);
        Assert.Equal(["a", "b"], Directory.GetFileSystemEntries(_folder.Root).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void Average_OfBrokenFoldersOrNumbers_SaysWhyAndLeavesNothing()
    {
        var (first, second) = (Adapter("a", 1), Adapter("b", 2));
        Assert.Contains("from 0 to 1", Error(() => AdapterAveraging.Average(first, second, 1.5, _folder.File("out"))));
        Assert.Contains("rank", Error(() => AdapterAveraging.Average(first, second, 0.5, _folder.File("out"), rank: 0)));
        Assert.Contains("exists", Error(() => AdapterAveraging.Average(first, second, 0.5, second)));
        Assert.Contains("cannot be read", Error(() => AdapterAveraging.Average(first, _folder.File("nowhere"), 0.5, _folder.File("out"))));
        File.WriteAllText(Path.Combine(second, "adapter_model.safetensors"), "broken");
        Error(() => AdapterAveraging.Average(first, second, 0.5, _folder.File("out")));
        Adapter("b", 2, outputs: 9);
        Assert.Contains("different models", Error(() => AdapterAveraging.Average(first, second, 0.5, _folder.File("out"))));
        Assert.Equal(["a", "b"], Directory.GetFileSystemEntries(_folder.Root).Select(Path.GetFileName).Order());

        static string Error(Action average) => Assert.Throws<AsrException>(average).Message;
    }

    private string Adapter(string name, int seed, bool rsLora = false, bool zero = false, int outputs = 10, bool hasBias = true)
    {
        var folder = _folder.File(name);
        Directory.CreateDirectory(folder);
        var random = new Random(seed);
        SafetensorsEntry Entry(string tensor, bool isZero, params long[] shape) => SafetensorsEntry.FromSingle(
            tensor, shape, Enumerable.Range(0, (int)shape.Aggregate((a, b) => a * b)).Select(_ => isZero ? 0 : (float)(random.NextDouble() - 0.5)).ToArray());
        SafetensorsWriter.Write(Path.Combine(folder, "adapter_model.safetensors"),
        [
            Entry(Linear + ".lora_A.weight", false, Rank, 7),
            Entry(Linear + ".lora_B.weight", zero, outputs, Rank),
            Entry(Convolution + ".lora_A.weight", false, Rank, 4, 3),
            Entry(Convolution + ".lora_B.weight", zero, 8, Rank, 1),
            .. hasBias ? [Entry(Bias, false, 10)] : Array.Empty<SafetensorsEntry>(),
        ]);
        File.WriteAllText(Path.Combine(folder, "adapter_config.json"), new JsonObject
        {
            ["peft_type"] = "LORA",
            ["r"] = Rank,
            ["lora_alpha"] = 12,
            ["bias"] = "lora_only",
            ["use_rslora"] = rsLora,
            ["target_modules"] = new JsonArray("conv1", "fc1"),
        }.ToJsonString());
        return folder;
    }

    private static SafetensorsFile Open(string folder) => SafetensorsFile.Open(Path.Combine(folder, "adapter_model.safetensors"));

    /// <summary>s·B·A, C order.</summary>
    private static double[] Delta(string folder, string module)
    {
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "adapter_config.json")))!;
        var rank = config["r"]!.GetValue<int>();
        var scale = config["lora_alpha"]!.GetValue<double>() / (config["use_rslora"]!.GetValue<bool>() ? Math.Sqrt(rank) : rank);
        using var file = Open(folder);
        return [.. Product(Doubles(file[module + ".lora_B.weight"]), Doubles(file[module + ".lora_A.weight"]), rank).Select(value => scale * value)];
    }

    private static double[] Product(double[] b, double[] a, int rank)
    {
        var (rows, columns) = (b.Length / rank, a.Length / rank);
        return [.. Enumerable.Range(0, rows * columns).Select(at =>
            Enumerable.Range(0, rank).Sum(k => b[(at / columns * rank) + k] * a[(k * columns) + (at % columns)]))];
    }

    private static double[] Doubles(SafetensorsTensor tensor) => Array.ConvertAll(tensor.ToSingle(), value => (double)value);

    private static double[] Mean(double[] a, double[] b, double share) => [.. a.Zip(b, (x, y) => ((1 - share) * x) + (share * y))];

    private static double Distance(double[] a, double[] b) => Math.Sqrt(a.Zip(b, (x, y) => (x - y) * (x - y)).Sum());

    private static double Norm(double[] a) => Math.Sqrt(a.Sum(value => value * value));
}
