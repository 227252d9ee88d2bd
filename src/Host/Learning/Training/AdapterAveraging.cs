using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Host.Learning.Training;

/// <summary>An average of two adapters.</summary>
/// <param name="Rank">Its rank.</param>
/// <param name="Error">
/// What the rank left out: the Frobenius norm of (what was written − the true average) over that of the true average, over all modules. 0 to
/// rounding where the rank suffices.
/// </param>
internal sealed record AveragedAdapter(int Rank, double Error);

/// <summary>Averages the weights that two LoRA adapters of one base give it.</summary>
/// <remarks>
/// <para>An adapter adds s·B·A to a weight. The mean of two such deltas is not the product of the means of the factors, so the deltas are
/// averaged: (1 − t)·B₁A₁ + t·B₂A₂ = [(1 − t)·B₁, t·B₂]·[A₁; A₂], which is exact and has the sum of the ranks. Kept like that, the rank of an
/// adapter that is averaged after every round would double each time, and its cost with it; so the product is brought to the adapters' own
/// rank by its singular value decomposition, the nearest there is, and what that leaves out is told. Two adapters of which one went on from
/// the other differ little, and little is left out. A rank of the sum is exact.</para>
/// <para>Works on PEFT's files, without an engine. Safe for concurrent calls.</para>
/// </remarks>
internal static class AdapterAveraging
{
    private const string ConfigFile = "adapter_config.json";
    private const string WeightsFile = "adapter_model.safetensors";
    private const string RankKey = "r";
    private const string AlphaKey = "lora_alpha";

    /// <summary>What two adapters may differ in, since it changes nothing that they compute.</summary>
    private static readonly string[] Free =
        ["base_model_name_or_path", "peft_version", "inference_mode", "lora_dropout", "init_lora_weights", "task_type", "revision", "auto_mapping"];

    /// <summary>What makes an adapter more than s·B·A of one rank.</summary>
    private static readonly (string Key, string Reason)[] Refused =
    [
        ("use_dora", "DoRA's magnitudes make the weights no sum of deltas"),
        ("lora_bias", "it has biases of factors"),
        ("rank_pattern", "its ranks differ from module to module"),
        ("alpha_pattern", "its scales differ from module to module"),
        ("ensure_weight_tying", "two of its modules share their factors"),
    ];

    private static readonly (string First, string Second)[] FactorNames = [(".lora_A.weight", ".lora_B.weight"), (".lora_embedding_A", ".lora_embedding_B")];

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NewLine = "\n" };

    /// <summary>Writes the average of two adapters.</summary>
    /// <param name="first">A PEFT folder.</param>
    /// <param name="second">A PEFT folder of the same configuration.</param>
    /// <param name="share">The second's share, 0…1: 0 is the first, 1 the second.</param>
    /// <param name="output">The folder to write, which must not exist; it is whole or not there.</param>
    /// <param name="rank">The rank of the result, from 1; null: the adapters' own.</param>
    /// <exception cref="AsrException">A folder cannot be read or written, or the two cannot be averaged; the message says why.</exception>
    public static AveragedAdapter Average(string first, string second, double share, string output, int? rank = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(first);
        ArgumentException.ThrowIfNullOrEmpty(second);
        ArgumentException.ThrowIfNullOrEmpty(output);
        CheckShare(share);
        if (rank is < 1)
        {
            throw new AsrException($"The rank of an average is {rank}; it must be 1 or more.");
        }

        if (Path.Exists(output))
        {
            throw new AsrException($"{output} exists: give a new folder for the average.");
        }

        var config = ReadConfig(first);
        RequireSame(config, first, ReadConfig(second), second);
        var own = Number(config, RankKey, first) is var r && r >= 1 && r == Math.Floor(r) ? (int)r : throw new AsrException($"{first}: its rank is {r}.");
        var averaged = Write(first, second, share, output, config, own, rank ?? own);
        return averaged;
    }

    /// <summary>Writes an adapter that changes its base less: the mean of the adapter and the base as it is.</summary>
    /// <param name="adapter">A PEFT folder.</param>
    /// <param name="share">The adapter's share, 0…1.</param>
    /// <param name="output">The folder to write, which must not exist; it is whole or not there.</param>
    /// <exception cref="AsrException">A folder cannot be read or written, or the adapter holds more than low-rank factors; the message says why.</exception>
    public static void Scale(string adapter, double share, string output)
    {
        ArgumentException.ThrowIfNullOrEmpty(adapter);
        ArgumentException.ThrowIfNullOrEmpty(output);
        CheckShare(share);
        if (Path.Exists(output))
        {
            throw new AsrException($"{output} exists: give a new folder for the scaled adapter.");
        }

        var config = ReadConfig(adapter);
        WriteAside(output, aside =>
        {
            using var file = SafetensorsFile.Open(Path.Combine(adapter, WeightsFile));
            var entries = file.Tensors.Keys.Order(StringComparer.Ordinal).Select(name =>
            {
                var isSecond = FactorNames.Any(pair => name.EndsWith(pair.Second, StringComparison.Ordinal));
                if (!isSecond && !FactorNames.Any(pair => name.EndsWith(pair.First, StringComparison.Ordinal)))
                {
                    throw new AsrException($"{file.Path} has {name}: only plain LoRA adapters can be scaled.");
                }

                var values = file[name].ToSingle();
                return SafetensorsEntry.FromSingle(name, file[name].Shape.ToArray(), isSecond ? Array.ConvertAll(values, value => (float)(share * value)) : values);
            }).ToList();
            SafetensorsWriter.Write(Path.Combine(aside, WeightsFile), entries, file.Metadata);
            WriteConfig(aside, config);
        });
    }

    private static void CheckShare(double share)
    {
        if (!(share is >= 0 and <= 1))
        {
            throw new AsrException(string.Create(CultureInfo.InvariantCulture, $"The share of an adapter in an average is {share}; it must be from 0 to 1."));
        }
    }

    private static AveragedAdapter Write(string first, string second, double share, string output, JsonObject config, int ownRank, int rank)
    {
        var error = 0.0;
        WriteAside(output, aside =>
        {
            using (var left = SafetensorsFile.Open(Path.Combine(first, WeightsFile)))
            using (var right = SafetensorsFile.Open(Path.Combine(second, WeightsFile)))
            {
                RequireSameTensors(left, right);
                var entries = Mix(left, right, share, rank, out error);
                SafetensorsWriter.Write(Path.Combine(aside, WeightsFile), entries, left.Metadata);
            }

            // The scale alpha / r (alpha / √r) stays what it is.
            var scaling = config["use_rslora"] is JsonValue flag && flag.GetValueKind() == JsonValueKind.True ? Math.Sqrt((double)rank / ownRank) : (double)rank / ownRank;
            var alpha = Number(config, AlphaKey, first) * scaling;
            config[RankKey] = rank;
            config[AlphaKey] = alpha == Math.Floor(alpha) && alpha < int.MaxValue ? (int)alpha : alpha;
            WriteConfig(aside, config);
        });
        return new AveragedAdapter(rank, error);
    }

    private static void WriteConfig(string folder, JsonObject config) =>
        AtomicFile.Write(Path.Combine(folder, ConfigFile), stream => stream.Write(Encoding.UTF8.GetBytes(config.ToJsonString(Indented))));

    /// <summary>Fills a folder beside the one that is wanted, and renames it when it is whole.</summary>
    private static void WriteAside(string output, Action<string> fill)
    {
        var target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(output));
        var parent = Path.GetDirectoryName(target) ?? throw new AsrException($"{output} cannot be an adapter's folder.");
        var aside = $"{target}.{Environment.ProcessId:x}-{Guid.NewGuid():n}.tmp";
        try
        {
            Directory.CreateDirectory(aside);
            fill(aside);
            Durable.FlushTree(aside);
            Directory.Move(aside, target);
            Durable.FlushFolder(parent);
        }
        catch (Exception failure)
        {
            Discard(aside);
            if (failure is IOException or UnauthorizedAccessException)
            {
                throw new AsrException($"{output} cannot be written: {failure.Message}", failure);
            }

            throw;
        }
    }

    private static List<SafetensorsEntry> Mix(SafetensorsFile left, SafetensorsFile right, double share, int rank, out double error)
    {
        var entries = new List<SafetensorsEntry>();
        var (kept, all) = (0.0, 0.0);
        foreach (var name in left.Tensors.Keys.Order(StringComparer.Ordinal))
        {
            if (FactorNames.FirstOrDefault(pair => name.EndsWith(pair.First, StringComparison.Ordinal)) is { First: { } first } names)
            {
                var second = name[..^first.Length] + names.Second;
                if (!left.Tensors.ContainsKey(second))
                {
                    throw new AsrException($"{left.Path} has {name} without {second}.");
                }

                var product = LowRankProduct.Sum(
                    Factors(left, second, name), 1 - share,
                    Factors(right, second, name), share);
                all += product.SquaredNorm;
                kept += product.SquaredNormOf(rank);
                entries.Add(SafetensorsEntry.FromSingle(name, [rank, .. left[name].Shape[1..]], product.Second(rank)));
                entries.Add(SafetensorsEntry.FromSingle(second, [left[second].Shape[0], rank, .. left[second].Shape[2..]], product.First(rank)));
            }
            else if (FactorNames.Any(pair => name.EndsWith(pair.Second, StringComparison.Ordinal)))
            {
                // Written with its partner; one alone is no factor.
                var names2 = FactorNames.First(pair => name.EndsWith(pair.Second, StringComparison.Ordinal));
                if (!left.Tensors.ContainsKey(name[..^names2.Second.Length] + names2.First))
                {
                    throw new AsrException($"{left.Path} has {name} without {name[..^names2.Second.Length] + names2.First}.");
                }
            }
            else if (name.Contains("lora_", StringComparison.Ordinal))
            {
                throw new AsrException($"{left.Path} has {name}: only plain LoRA adapters can be averaged.");
            }
            else
            {
                // Whole parameters that the adapter puts in place of the base's: their mean is the mean.
                var values = left[name].ToSingle();
                var others = right[name].ToSingle();
                for (var i = 0; i < values.Length; i++)
                {
                    values[i] = (float)(((1 - share) * values[i]) + (share * others[i]));
                }

                entries.Add(SafetensorsEntry.FromSingle(name, left[name].Shape.ToArray(), values));
            }
        }

        error = all > 0 ? Math.Sqrt(Math.Max(0, all - kept) / all) : 0;
        return entries;
    }

    /// <summary>B <c>[out, r]</c> and A <c>[r, in]</c>, a convolution's A with its kernel's places side by side.</summary>
    private static (Matrix B, Matrix A) Factors(SafetensorsFile file, string second, string first)
    {
        var (b, a) = (file[second], file[first]);
        var rank = (int)a.Shape[0];
        var outputs = (int)b.Shape[0];
        return b.ElementCount == (long)outputs * rank
            ? (Matrix.Of(outputs, rank, b.ToSingle()), Matrix.Of(rank, (int)(a.ElementCount / rank), a.ToSingle()))
            : throw new AsrException($"{file.Path}: {first} {a.ShapeText} and {second} {b.ShapeText} are no factors of one product.");
    }

    private static JsonObject ReadConfig(string folder)
    {
        var path = Path.Combine(folder, ConfigFile);
        try
        {
            var config = JsonNode.Parse(File.ReadAllText(path)) as JsonObject ?? throw new AsrException($"{path} holds no JSON object.");
            if (config["peft_type"]?.ToString() is { } type && type != "LORA")
            {
                throw new AsrException($"{folder} is an adapter of the type {type}: only LoRA adapters can be averaged.");
            }

            foreach (var (key, reason) in Refused.Where(entry => !IsDefault(config[entry.Key])))
            {
                throw new AsrException($"{folder} cannot be averaged ({key}): {reason}.");
            }

            return config;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new AsrException($"{path} cannot be read: {error.Message}", error);
        }
    }

    private static void RequireSame(JsonObject left, string first, JsonObject right, string second)
    {
        foreach (var key in left.Concat(right).Select(pair => pair.Key).Distinct(StringComparer.Ordinal).Except(Free))
        {
            var (a, b) = (left[key], right[key]);
            if (!(IsDefault(a) && IsDefault(b)) && !JsonNode.DeepEquals(Sorted(a), Sorted(b)))
            {
                throw new AsrException($"{first} and {second} have different settings ({key}): only adapters of equal configuration can be averaged.");
            }
        }
    }

    private static void RequireSameTensors(SafetensorsFile left, SafetensorsFile right)
    {
        var difference = left.Tensors.Keys.Except(right.Tensors.Keys).Concat(right.Tensors.Keys.Except(left.Tensors.Keys)).FirstOrDefault();
        if (difference is not null)
        {
            throw new AsrException($"{difference} is in one of {left.Path} and {right.Path} alone: only adapters of the same modules can be averaged.");
        }

        foreach (var (name, tensor) in left.Tensors.Where(pair => !pair.Value.Shape.SequenceEqual(right[pair.Key].Shape)))
        {
            throw new AsrException($"{name} is {tensor.ShapeText} in {left.Path} and {right[name].ShapeText} in {right.Path}: they are adapters of different models.");
        }
    }

    /// <summary>What older versions of PEFT leave out and newer ones write.</summary>
    private static bool IsDefault(JsonNode? node) => node switch
    {
        null => true,
        JsonObject map => map.Count == 0,
        JsonValue value => value.GetValueKind() is JsonValueKind.False or JsonValueKind.Null,
        _ => false,
    };

    /// <summary>PEFT keeps lists of modules as sets and writes them in any order.</summary>
    private static JsonNode? Sorted(JsonNode? node) => node is JsonArray list
        ? new JsonArray([.. list.Select(item => item?.DeepClone()).OrderBy(item => item?.ToJsonString(), StringComparer.Ordinal)])
        : node;

    private static double Number(JsonObject config, string key, string folder) =>
        config[key] is JsonValue value && value.TryGetValue<double>(out var number) && double.IsFinite(number)
            ? number
            : throw new AsrException($"{Path.Combine(folder, ConfigFile)}: \"{key}\" is no number.");

    private static void Discard(string folder)
    {
        try
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The first error is the one to report.
        }
    }
}
