using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;

namespace AsrPlatform.LoraAdapter.Configuration;

/// <summary>Which biases an adapter replaces.</summary>
internal enum BiasMode
{
    None,

    /// <summary>Those of the layers that it adapts.</summary>
    LoraOnly,

    /// <summary>Those of all layers.</summary>
    All,
}

/// <summary>How the factors start.</summary>
internal enum StartValues
{
    /// <summary>A uniform in ±1/√(fan in), B zero.</summary>
    Kaiming,

    /// <summary>A normal with deviation 1/r, B zero.</summary>
    Gaussian,

    /// <summary>Both uniform in ±1/√(fan in): the adapter changes the model from the start.</summary>
    Random,

    /// <summary>A way that only matters where an adapter is made; refused there.</summary>
    Foreign,
}

/// <summary>Module names: a list of names and endings, or a pattern for whole names.</summary>
internal sealed record ModuleNames(IReadOnlyList<string> Names, string? Pattern)
{
    public bool IsEmpty => Names.Count == 0 && string.IsNullOrEmpty(Pattern);
}

/// <summary>What <c>adapter_config.json</c> says; keys, defaults and meanings are PEFT's (0.21).</summary>
internal sealed record LoraConfig
{
    /// <summary>The file's name in a PEFT folder.</summary>
    public const string FileName = "adapter_config.json";

    /// <summary>A target that stands for all linear layers but the output's.</summary>
    public const string AllLinear = "all-linear";

    private const string AnythingSupported = "only its default is supported";

    /// <summary>What PEFT writes for a plain adapter. Keys whose values are not read here must have these.</summary>
    private static readonly IReadOnlyDictionary<string, string> Defaults = new Dictionary<string, string>
    {
        ["alora_invocation_tokens"] = "null",
        ["alpha_pattern"] = "{}",
        ["arrow_config"] = "null",
        ["auto_mapping"] = "null",
        ["base_model_name_or_path"] = "null",
        ["bias"] = "\"none\"",
        ["corda_config"] = "null",
        ["ensure_weight_tying"] = "false",
        ["eva_config"] = "null",
        ["exclude_modules"] = "null",
        ["fan_in_fan_out"] = "false",
        ["inference_mode"] = "true",
        ["init_lora_weights"] = "true",
        ["kasa_config"] = "null",
        ["layer_replication"] = "null",
        ["layers_pattern"] = "null",
        ["layers_to_transform"] = "null",
        ["loftq_config"] = "{}",
        ["lora_alpha"] = "8",
        ["lora_bias"] = "false",
        ["lora_dropout"] = "0.0",
        ["lora_ga_config"] = "null",
        ["megatron_config"] = "null",
        ["megatron_core"] = "\"megatron.core\"",
        ["modules_to_save"] = "null",
        ["monteclora_config"] = "null",
        ["peft_type"] = "\"LORA\"",
        ["peft_version"] = "\"0.21.2\"",
        ["qalora_group_size"] = "16",
        ["r"] = "8",
        ["rank_pattern"] = "{}",
        ["revision"] = "null",
        ["target_modules"] = "null",
        ["target_parameters"] = "null",
        ["task_type"] = "null",
        ["trainable_token_indices"] = "null",
        ["use_bdlora"] = "null",
        ["use_dora"] = "false",
        ["use_qalora"] = "false",
        ["use_rslora"] = "false",
        ["velora_config"] = "null",
    };

    // What changes the computation in a way that is not supported. (Settings of ways to start a training change nothing later.)
    private static readonly string[] Refused =
    [
        "alora_invocation_tokens", "arrow_config", "fan_in_fan_out", "kasa_config", "layer_replication", "loftq_config", "megatron_config",
        "monteclora_config", "target_parameters", "trainable_token_indices", "use_bdlora", "use_qalora", "velora_config",
    ];

    // These change the base's weights before a training, so that the adapter alone does not hold what was learned.
    private static readonly string[] BaseChanging = ["pissa", "olora", "corda", "loftq", "lora_ga"];

    private static readonly JsonSerializerOptions Written = new()
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 32 };

    /// <summary>Where it comes from, for messages.</summary>
    public required string Source { get; init; }

    /// <summary>Rank.</summary>
    public required int Rank { get; init; }

    /// <summary>α of the scale α/r (α/√r with <see cref="UseRsLora"/>).</summary>
    public required double Alpha { get; init; }

    /// <summary>Probability of dropout on what A sees, in training.</summary>
    public required double Dropout { get; init; }

    public required ModuleNames Targets { get; init; }

    public required ModuleNames Excluded { get; init; }

    /// <summary>Numbers of the layers to adapt; empty for all.</summary>
    public required IReadOnlyList<int> Layers { get; init; }

    /// <summary>Patterns of the piece of a name before a layer's number; empty for any.</summary>
    public required IReadOnlyList<string> LayerPatterns { get; init; }

    /// <summary>Ranks of modules that match a pattern; the first that matches counts.</summary>
    public required IReadOnlyList<(string Pattern, int Rank)> RankPatterns { get; init; }

    /// <summary>α of modules that match a pattern; the first that matches counts.</summary>
    public required IReadOnlyList<(string Pattern, double Alpha)> AlphaPatterns { get; init; }

    public required BiasMode Bias { get; init; }

    /// <summary>B has a bias of its own.</summary>
    public required bool LoraBias { get; init; }

    public required bool UseRsLora { get; init; }

    public required bool UseDora { get; init; }

    /// <summary>Endings of the names of modules that are replaced as a whole.</summary>
    public required IReadOnlyList<string> ModulesToSave { get; init; }

    /// <summary>An adapted embedding adapts the output projection that shares its weight too, by the same factors.</summary>
    public required bool EnsureWeightTying { get; init; }

    public required StartValues Start { get; init; }

    /// <summary>All that was given, so that what is not understood here is not lost.</summary>
    private JsonObject Given { get; init; } = [];

    /// <summary>Reads the configuration of a PEFT folder.</summary>
    /// <exception cref="AsrException">There is none, or it cannot be used; the message names the key.</exception>
    public static LoraConfig Load(string directory)
    {
        var path = Path.Combine(directory, FileName);
        if (!File.Exists(path))
        {
            throw new AsrException($"{directory} is no PEFT adapter: it has no {FileName}.");
        }

        try
        {
            return Parse(path, File.ReadAllText(path));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{path} cannot be read: {error.Message}", error);
        }
    }

    /// <summary>Reads the text of a configuration.</summary>
    /// <param name="source">Where it comes from, for messages.</param>
    /// <param name="json">An object; what it lacks has PEFT's default.</param>
    /// <exception cref="AsrException">It cannot be used; the message names the key.</exception>
    public static LoraConfig Parse(string source, string json)
    {
        JsonObject given;
        try
        {
            given = JsonNode.Parse(json, documentOptions: Strict) as JsonObject ?? throw new AsrException($"{source} holds no JSON object.");
        }
        catch (JsonException error)
        {
            throw new AsrException($"{source} is no valid JSON: {error.Message}", error);
        }

        return new Reader(source, given).Read();
    }

    /// <summary>Writes the text of <c>adapter_config.json</c>, with all of PEFT's keys, sorted.</summary>
    public string ToJson()
    {
        var values = new SortedDictionary<string, JsonNode?>(StringComparer.Ordinal);
        foreach (var (key, value) in Defaults)
        {
            values[key] = JsonNode.Parse(value);
        }

        foreach (var (key, value) in Given)
        {
            values[key] = value?.DeepClone();
        }

        // Whoever reads the folder uses the adapter; PEFT says so too when it saves.
        values["inference_mode"] = true;
        values["target_modules"] = Targets.Pattern is { } pattern ? pattern : new JsonArray([.. Targets.Names.Select(name => JsonValue.Create(name))]);
        return new JsonObject(values).ToJsonString(Written);
    }

    private sealed class Reader(string source, JsonObject given)
    {
        public LoraConfig Read()
        {
            RequireSupported();
            var targets = Names("target_modules");
            var layers = Integers("layers_to_transform");
            var layerPatterns = Texts("layers_pattern");
            var config = new LoraConfig
            {
                Source = source,
                Given = given,
                Rank = Integer("r", 8, 1),
                Alpha = Number("lora_alpha", 8),
                Dropout = Number("lora_dropout", 0),
                Targets = targets,
                Excluded = Names("exclude_modules"),
                Layers = layers,
                LayerPatterns = layerPatterns,
                RankPatterns = [.. Pairs("rank_pattern").Select(pair => (pair.Key, Integer($"rank_pattern.{pair.Key}", pair.Value, 1)))],
                AlphaPatterns = [.. Pairs("alpha_pattern").Select(pair => (pair.Key, Number($"alpha_pattern.{pair.Key}", pair.Value)))],
                Bias = Text("bias", "none") switch
                {
                    "none" => BiasMode.None,
                    "lora_only" => BiasMode.LoraOnly,
                    "all" => BiasMode.All,
                    var other => throw Wrong("bias", $"\"{other}\"", "none, lora_only or all"),
                },
                LoraBias = Flag("lora_bias"),
                UseRsLora = Flag("use_rslora"),
                UseDora = Flag("use_dora"),
                ModulesToSave = Texts("modules_to_save"),
                EnsureWeightTying = Flag("ensure_weight_tying"),
                Start = Start(),
            };
            RequireConsistent(config);
            return config;
        }

        private void RequireSupported()
        {
            if (Text("peft_type", "LORA") is var type && !type.Equals("LORA", StringComparison.OrdinalIgnoreCase))
            {
                throw Wrong("peft_type", $"\"{type}\"", "LORA: other kinds of adapters are not supported");
            }

            foreach (var key in Refused)
            {
                if (given[key] is { } value && !IsOff(value))
                {
                    throw Wrong(key, value.ToJsonString(), AnythingSupported);
                }
            }
        }

        private static bool IsOff(JsonNode value) => value switch
        {
            JsonObject dictionary => dictionary.Count == 0,
            JsonArray list => list.Count == 0,
            JsonValue single => single.TryGetValue<bool>(out var flag) && !flag,
            _ => false,
        };

        private void RequireConsistent(LoraConfig config)
        {
            if (config.Targets.IsEmpty)
            {
                throw new AsrException($"{source}: target_modules is missing: name the modules to adapt, such as [\"q_proj\", \"v_proj\"], or {AllLinear}.");
            }

            if (config.Dropout is < 0 or >= 1)
            {
                throw Wrong("lora_dropout", config.Dropout.ToString(CultureInfo.InvariantCulture), "a number from 0 to below 1");
            }

            if (config.Targets.Pattern is not null && (config.Layers.Count > 0 || config.LayerPatterns.Count > 0))
            {
                throw new AsrException($"{source}: layers_to_transform and layers_pattern work only with a list of target_modules: put the layers into the pattern.");
            }

            if (config.LayerPatterns.Count > 0 && config.Layers.Count == 0)
            {
                throw new AsrException($"{source}: layers_pattern without layers_to_transform: say which layers.");
            }

            if (config.LoraBias && (config.UseDora || config.Start is StartValues.Gaussian))
            {
                throw new AsrException($"{source}: lora_bias works neither with use_dora nor with init_lora_weights other than true or false.");
            }

            if (config.Bias == BiasMode.All && config.ModulesToSave.Count > 0)
            {
                throw new AsrException($"{source}: bias \"all\" with modules_to_save trains biases of the saved modules twice: use bias \"none\" or \"lora_only\".");
            }
        }

        private StartValues Start() => given["init_lora_weights"] switch
        {
            null => StartValues.Kaiming,
            JsonValue value when value.TryGetValue<bool>(out var flag) => flag ? StartValues.Kaiming : StartValues.Random,
            JsonValue value when value.TryGetValue<string>(out var text) => text.ToLowerInvariant() switch
            {
                "gaussian" => StartValues.Gaussian,
                var name when BaseChanging.Any(other => name.StartsWith(other, StringComparison.Ordinal)) => throw Wrong(
                    "init_lora_weights",
                    $"\"{text}\"",
                    "true, false or gaussian: this one changes the base model's weights too (PEFT can convert such an adapter when it saves it)"),
                _ => StartValues.Foreign,
            },
            { } other => throw Wrong("init_lora_weights", other.ToJsonString(), "true, false or gaussian"),
        };

        private ModuleNames Names(string key) => given[key] switch
        {
            JsonValue value when value.TryGetValue<string>(out var pattern) => new ModuleNames([], pattern),
            _ => new ModuleNames(Texts(key), null),
        };

        private string[] Texts(string key) => given[key] switch
        {
            null => [],
            JsonValue value when value.TryGetValue<string>(out var one) => [one],
            JsonArray list => [.. list.Select(item => item is JsonValue value && value.TryGetValue<string>(out var text)
                ? text
                : throw Wrong(key, list.ToJsonString(), "texts"))],
            { } other => throw Wrong(key, other.ToJsonString(), "a text or a list of texts"),
        };

        private int[] Integers(string key) => given[key] switch
        {
            null => [],
            JsonArray list => [.. list.Select(item => Integer(key, item, 0))],
            { } one => [Integer(key, one, 0)],
        };

        private JsonObject Pairs(string key) => given[key] switch
        {
            null => [],
            JsonObject pairs => pairs,
            { } other => throw Wrong(key, other.ToJsonString(), "an object of patterns and numbers"),
        };

        private string Text(string key, string missing) => given[key] switch
        {
            null => missing,
            JsonValue value when value.TryGetValue<string>(out var text) => text,
            { } other => throw Wrong(key, other.ToJsonString(), "a text"),
        };

        private bool Flag(string key) => given[key] switch
        {
            null => false,
            JsonValue value when value.TryGetValue<bool>(out var flag) => flag,
            { } other => throw Wrong(key, other.ToJsonString(), "true or false"),
        };

        private int Integer(string key, int missing, int minimum) => given[key] is { } value ? Integer(key, value, minimum) : missing;

        private int Integer(string key, JsonNode? node, int minimum) =>
            node is JsonValue value && value.TryGetValue<int>(out var number) && number >= minimum
                ? number
                : throw Wrong(key, node?.ToJsonString() ?? "null", $"a whole number of at least {minimum}");

        private double Number(string key, double missing) => given[key] is { } value ? Number(key, value) : missing;

        private double Number(string key, JsonNode? node) =>
            node is JsonValue value && value.TryGetValue<double>(out var number) && double.IsFinite(number)
                ? number
                : throw Wrong(key, node?.ToJsonString() ?? "null", "a number");

        private AsrException Wrong(string key, string value, string expected) => new($"{source}: {key} is {value}; expected {expected}.");
    }
}
