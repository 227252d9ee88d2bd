using System.Buffers;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Whisper.Text;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Host.Learning.Training;

/// <summary>A setting of the <c>train</c> verb beside the training arguments.</summary>
/// <param name="Name">In kebab-case.</param>
/// <param name="ValueName">For the help.</param>
/// <param name="Description">One line.</param>
internal sealed record TrainSetting(string Name, string ValueName, string Description)
{
    /// <summary>The name alone means <c>true</c>.</summary>
    public bool IsFlag => ValueName == "true|false";
}

/// <summary>What the <c>train</c> verb is to do, from its command line and its YAML file, checked as far as it can be without the data.</summary>
internal sealed record TrainSettings
{
    /// <summary>PEFT's usual targets for Whisper.</summary>
    private const string DefaultTargets = "q_proj,v_proj";

    /// <summary>What regular expressions have and module names do not.</summary>
    private static readonly SearchValues<char> PatternSigns = SearchValues.Create("*+?()[]{}|\\^$");

    private static readonly string[] LoraNames =
        ["lora-r", "lora-alpha", "lora-dropout", "target-modules", "exclude-modules", "modules-to-save", "lora-bias", "use-rslora", "use-dora"];

    /// <summary>Settings of the verb itself; the training arguments come besides.</summary>
    public static IReadOnlyList<TrainSetting> All { get; } =
    [
        new("model", "DIR", "checkpoint folder to start from (Hugging Face layout); default: the demo model"),
        new("train", "MANIFEST", "examples to learn from: JSONL, CSV, TSV, or an audio folder with metadata.csv"),
        new("eval", "MANIFEST", "examples to evaluate on"),
        new("language", "xx", "language of the texts, where the manifest names none"),
        new("task", "transcribe|translate", "task that the labels name; default: transcribe"),
        new("adapter", "DIR", "goes on from this adapter's weights and settings (a PEFT folder)"),
        new("lora-r", "N", "trains a LoRA adapter of this rank over frozen weights; default with other LoRA options: 8"),
        new("lora-alpha", "X", "the adapter's scale is alpha / r; default: 8"),
        new("lora-dropout", "X", "dropout on the adapter's input; default: 0"),
        new("target-modules", "a,b|REGEX", $"modules to adapt: names or endings, a regular expression of whole names, or all-linear; default: {DefaultTargets}"),
        new("exclude-modules", "a,b|REGEX", "modules to leave as they are"),
        new("modules-to-save", "a,b", "modules to train whole beside the adapter"),
        new("lora-bias", "none|all|lora_only", "which biases train; default: none"),
        new("use-rslora", "true|false", "scales by alpha / √r"),
        new("use-dora", "true|false", "trains a magnitude a row beside the direction"),
        new("timestamps", "never|always|mixed", "which labels have timestamps; default: never"),
        new("normalizer", "none|basic|english", "brings the texts into a normal form before they are learned; default: none"),
        new("min-seconds", "X", "leaves out shorter examples; default: 0.1"),
        new("max-seconds", "X", "leaves out longer examples; default: what the model hears at once"),
        new("feature-precision", "single|half", "how features are cached; default: single"),
        new("cache-dir", "DIR", "where features are cached; default: in the data folder"),
        new("data-dir", "DIR", "the data folder"),
        new("trainer", "NAME", "the trainer; default: the first that is loaded"),
        new("device", "NAME", "cpu, cuda, cuda:0, …; default: the trainer's best"),
        new("threads", "N", "threads for computation; 0 lets the trainer choose"),
    ];

    /// <summary>The training arguments.</summary>
    public required TrainingArguments Arguments { get; init; }

    /// <summary>Checkpoint folder to start from.</summary>
    public required string Model { get; init; }

    /// <summary>Manifest to learn from.</summary>
    public required string Train { get; init; }

    /// <summary>Manifest to evaluate on, or null.</summary>
    public string? Evaluation { get; init; }

    /// <summary>Folder of the result.</summary>
    public required string OutputDirectory { get; init; }

    /// <summary>Language of the texts, or null.</summary>
    public string? Language { get; init; }

    /// <summary>Task that the labels name.</summary>
    public TranscriptionTask Task { get; init; }

    /// <summary>PEFT folder to go on from, or null.</summary>
    public string? Adapter { get; init; }

    /// <summary>Settings of a new adapter in PEFT's names, or null when none is trained or one is gone on from.</summary>
    public string? AdapterConfigJson { get; init; }

    /// <summary>Which labels have timestamps.</summary>
    public TimestampLabels Timestamps { get; init; }

    /// <summary>How texts are brought into a normal form: <c>none</c>, <c>basic</c> or <c>english</c>.</summary>
    public string Normalizer { get; init; } = "none";

    /// <summary>Shorter examples are left out.</summary>
    public double MinSeconds { get; init; } = DatasetOptions.DefaultMinSeconds;

    /// <summary>Longer examples are left out; null: what the model hears at once.</summary>
    public double? MaxSeconds { get; init; }

    /// <summary>How features are cached.</summary>
    public FeaturePrecision Precision { get; init; }

    /// <summary>Where features are cached.</summary>
    public required string CacheDirectory { get; init; }

    /// <summary>The trainer's name, or null for the first.</summary>
    public string? Trainer { get; init; }

    /// <summary>The device's name, or <c>auto</c>.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>Threads for computation, 0 for the trainer's choice.</summary>
    public int Threads { get; init; }

    /// <summary>Whether an adapter is trained, and not the model.</summary>
    public bool TrainsAdapter => Adapter is not null || AdapterConfigJson is not null;

    /// <summary>Reads settings.</summary>
    /// <param name="commandLine">By name; wins over the file.</param>
    /// <param name="configFile">A YAML file, or null.</param>
    /// <param name="defaultModel">The model where none is given; null when there is none.</param>
    /// <exception cref="AsrException">A setting is missing, unknown, or cannot be used.</exception>
    public static TrainSettings Read(IReadOnlyDictionary<string, string> commandLine, string? configFile, string? defaultModel)
    {
        var given = configFile is null ? new Dictionary<string, string>(StringComparer.Ordinal) : YamlSettings.Read(configFile);
        foreach (var (name, value) in commandLine)
        {
            given[TrainingArgument.NormalizeName(name)] = value;
        }

        var own = new Values(given.Where(pair => All.Any(setting => setting.Name == pair.Key)).ToDictionary(StringComparer.Ordinal));
        var arguments = TrainingArguments.Parse(given.Where(pair => All.All(setting => setting.Name != pair.Key)).ToDictionary(StringComparer.Ordinal));
        var adapter = own.Text("adapter");
        var lora = LoraNames.Where(given.ContainsKey).ToArray();
        if (adapter is not null && lora.Length > 0)
        {
            throw new AsrException($"--adapter goes on with the settings of that adapter: leave --{lora[0]} out.");
        }

        return new TrainSettings
        {
            Arguments = arguments,
            Model = own.Text("model") ?? defaultModel ?? throw new AsrException("no model: give a checkpoint folder with --model DIR"),
            Train = own.Text("train") ?? throw new AsrException("nothing to learn from: give a manifest with --train MANIFEST"),
            Evaluation = own.Text("eval"),
            OutputDirectory = arguments.OutputDir ?? throw new AsrException("nowhere to put the result: give a folder with --output-dir DIR"),
            Language = own.Text("language"),
            Task = own.Choice("task", TranscriptionTask.Transcribe),
            Adapter = adapter,
            AdapterConfigJson = lora.Length > 0 ? AdapterConfig(own) : null,
            Timestamps = own.Choice("timestamps", TimestampLabels.Never),
            Normalizer = own.Text("normalizer") is not { } normalizer ? "none"
                : normalizer is "none" or "basic" or "english" ? normalizer
                : throw new AsrException($"--normalizer {normalizer}: expected none, basic or english."),
            MinSeconds = own.Number("min-seconds", 0, double.MaxValue) ?? DatasetOptions.DefaultMinSeconds,
            MaxSeconds = own.Number("max-seconds", 0, double.MaxValue),
            Precision = own.Choice("feature-precision", FeaturePrecision.Single),
            CacheDirectory = own.Text("cache-dir") ?? Cli.DatasetMapping.DefaultCache(DataDirectory.Resolve(own.Text("data-dir"))),
            Trainer = own.Text("trainer"),
            Device = own.Text("device") ?? "auto",
            Threads = own.Whole("threads", 0) ?? 0,
        };
    }

    /// <summary>How manifests become data sets.</summary>
    /// <exception cref="AsrException">The model's files cannot be used.</exception>
    public DatasetOptions MappingOptions() => DatasetOptions.For(Model, CacheDirectory) with
    {
        Language = Language,
        Task = Task,
        Timestamps = Timestamps,
        Normalizer = Normalizer switch
        {
            "basic" => new BasicTextNormalizer(),
            "english" => EnglishTextNormalizer.Load(Model),
            _ => null,
        },
        MinSeconds = MinSeconds,
        MaxSeconds = MaxSeconds,
        Precision = Precision,
    };

    private static string AdapterConfig(Values own)
    {
        var rank = own.Whole("lora-r", 1) ?? 8;
        var config = new JsonObject
        {
            ["r"] = rank,
            ["lora_alpha"] = own.Number("lora-alpha", 0, double.MaxValue) is { } alpha ? Json(alpha) : 8,
            ["lora_dropout"] = Json(own.Number("lora-dropout", 0, 1) ?? 0),
            ["target_modules"] = Modules(own.Text("target-modules") ?? DefaultTargets),
            ["bias"] = own.Text("lora-bias") switch
            {
                null => "none",
                "none" or "all" or "lora_only" => own.Text("lora-bias"),
                var other => throw new AsrException($"--lora-bias {other}: expected none, all or lora_only."),
            },
            ["use_rslora"] = own.Flag("use-rslora"),
            ["use_dora"] = own.Flag("use-dora"),
        };
        if (own.Text("exclude-modules") is { } exclude)
        {
            config["exclude_modules"] = Modules(exclude);
        }

        if (own.Text("modules-to-save") is { } save)
        {
            config["modules_to_save"] = List(save);
        }

        return config.ToJsonString();
    }

    /// <summary>A whole number stays one in the file, as PEFT writes it.</summary>
    private static JsonNode Json(double value) => value == Math.Floor(value) && value < int.MaxValue ? (int)value : value;

    /// <summary>PEFT tells a list of names from a regular expression by the type: here a sign that no name has makes it one.</summary>
    internal static JsonNode Modules(string text) =>
        text == "all-linear" || text.AsSpan().ContainsAny(PatternSigns) ? JsonValue.Create(text) : List(text);

    private static JsonArray List(string text) =>
        [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(name => (JsonNode)name)];

    private sealed class Values(Dictionary<string, string> values)
    {
        public string? Text(string name) => values.TryGetValue(name, out var value)
            ? value.Length > 0 ? value : throw new AsrException($"--{name}: expected a value.")
            : null;

        public bool Flag(string name) => values.TryGetValue(name, out var value) && (value.ToLowerInvariant() switch
        {
            "" or "true" => true,
            "false" => false,
            _ => throw new AsrException($"--{name} {value}: expected true or false."),
        });

        public T Choice<T>(string name, T fallback)
            where T : struct, Enum =>
            Text(name) is not { } text ? fallback
            : Enum.TryParse<T>(text, ignoreCase: true, out var choice) && !char.IsAsciiDigit(text[0]) ? choice
            : throw new AsrException($"--{name} {text}: expected one of {string.Join(", ", Enum.GetNames<T>().Select(JsonNamingPolicy.SnakeCaseLower.ConvertName))}.");

        public int? Whole(string name, int least) =>
            Text(name) is not { } text ? null
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least ? number
            : throw new AsrException($"--{name} {text}: expected a whole number from {least}.");

        public double? Number(string name, double least, double most) =>
            Text(name) is not { } text ? null
            : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most ? number
            : throw new AsrException($"--{name} {text}: expected a number{(most == 1 ? " from 0 to 1" : " from 0")}.");
    }
}
