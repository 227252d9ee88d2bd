using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Whisper.Training;

/// <summary>A line of the log: values under Hugging Face's names at a step.</summary>
/// <param name="Step">Optimizer steps done.</param>
/// <param name="Epoch">Epochs done.</param>
/// <param name="Values">The other values, such as <c>loss</c>, <c>grad_norm</c>, <c>learning_rate</c>, <c>eval_wer</c> (per cent).</param>
public sealed record TrainerLogEntry(int Step, double Epoch, IReadOnlyDictionary<string, double> Values);

/// <summary>Where a run stands: Hugging Face's <c>trainer_state.json</c>.</summary>
/// <remarks>Written as transformers 5.23 writes it: the same keys in the same order, numbers in Python's notation. Not safe for concurrent calls.</remarks>
public sealed class TrainerState
{
    /// <summary>The file's name in a checkpoint folder and in the output folder.</summary>
    public const string FileName = "trainer_state.json";

    /// <summary>The largest file that is read: a line of log is some 150 bytes.</summary>
    private const long MaxBytes = 1L << 30;

    private const string EarlyStoppingCallback = "EarlyStoppingCallback";
    private const string PatienceKey = "early_stopping_patience";
    private const string ThresholdKey = "early_stopping_threshold";
    private const string CounterKey = "early_stopping_patience_counter";

    private readonly List<TrainerLogEntry> _log = [];

    /// <summary>Optimizer steps done.</summary>
    public int GlobalStep { get; set; }

    /// <summary>Epochs done.</summary>
    public double Epoch { get; set; }

    /// <summary>Optimizer steps of the run.</summary>
    public int MaxSteps { get; set; }

    /// <summary>Epochs of the run, a begun one counted whole.</summary>
    public int NumTrainEpochs { get; set; }

    /// <summary>Examples of a micro-batch.</summary>
    public int TrainBatchSize { get; set; }

    /// <summary>Steps between log lines.</summary>
    public int LoggingSteps { get; set; } = 500;

    /// <summary>Steps between evaluations.</summary>
    public int EvalSteps { get; set; } = 500;

    /// <summary>Steps between checkpoints.</summary>
    public int SaveSteps { get; set; } = 500;

    /// <summary>The best metric so far, or null.</summary>
    public double? BestMetric { get; set; }

    /// <summary>The step of the best metric, or null.</summary>
    public int? BestGlobalStep { get; set; }

    /// <summary>The folder of the best checkpoint, or null.</summary>
    public string? BestModelCheckpoint { get; set; }

    /// <summary>Where early stopping stands; null without it, or before its first evaluation.</summary>
    public EarlyStoppingState? EarlyStopping { get; set; }

    /// <summary>Floating-point operations so far, as transformers estimates them.</summary>
    public double TotalFlos { get; set; }

    /// <summary>Lines of the log, oldest first.</summary>
    public IReadOnlyList<TrainerLogEntry> LogHistory => _log;

    /// <summary>The state at the start of a run.</summary>
    public static TrainerState Of(TrainingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var state = new TrainerState();
        state.Adopt(plan);
        return state;
    }

    /// <summary>Takes over a plan's numbers: at the start, and when a run is resumed with other arguments.</summary>
    public void Adopt(TrainingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        MaxSteps = plan.MaxSteps;
        NumTrainEpochs = plan.NumTrainEpochs;
        TrainBatchSize = plan.Arguments.PerDeviceTrainBatchSize;
        LoggingSteps = plan.LoggingSteps;
        EvalSteps = plan.EvalSteps;
        SaveSteps = plan.SaveSteps;
    }

    /// <summary>Adds a line at <see cref="GlobalStep"/> and <see cref="Epoch"/>.</summary>
    public TrainerLogEntry Log(IReadOnlyDictionary<string, double> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        var entry = new TrainerLogEntry(GlobalStep, Epoch, new Dictionary<string, double>(values, StringComparer.Ordinal));
        _log.Add(entry);
        return entry;
    }

    /// <summary>The text of the file.</summary>
    public string ToJson() => PythonJson.Write(new Dictionary<string, object?>
    {
        ["best_global_step"] = BestGlobalStep,
        ["best_metric"] = BestMetric,
        ["best_model_checkpoint"] = BestModelCheckpoint,
        ["epoch"] = Epoch,
        ["eval_steps"] = EvalSteps,
        ["global_step"] = GlobalStep,
        ["is_hyper_param_search"] = false,
        ["is_local_process_zero"] = true,
        ["is_world_process_zero"] = true,
        ["log_history"] = _log.ConvertAll<object?>(entry => new Dictionary<string, object?>(
            entry.Values.Select(pair => new KeyValuePair<string, object?>(pair.Key, pair.Value)))
        {
            ["epoch"] = entry.Epoch,
            ["step"] = entry.Step,
        }),
        ["logging_steps"] = LoggingSteps,
        ["max_steps"] = MaxSteps,
        ["num_input_tokens_seen"] = 0,
        ["num_train_epochs"] = NumTrainEpochs,
        ["save_steps"] = SaveSteps,
        ["stateful_callbacks"] = new Dictionary<string, object?>(Callbacks())
        {
            ["TrainerControl"] = new Dictionary<string, object?>
            {
                ["args"] = new Dictionary<string, object?>
                {
                    ["should_epoch_stop"] = false,
                    ["should_evaluate"] = false,
                    ["should_log"] = false,
                    ["should_save"] = false,
                    ["should_training_stop"] = false,
                },
                ["attributes"] = new Dictionary<string, object?>(),
            },
        },
        ["total_flos"] = TotalFlos,
        ["train_batch_size"] = TrainBatchSize,
        ["trial_name"] = null,
        ["trial_params"] = null,
    });

    private Dictionary<string, object?> Callbacks() => EarlyStopping is not { } stopping ? [] : new Dictionary<string, object?>
    {
        [EarlyStoppingCallback] = new Dictionary<string, object?>
        {
            ["args"] = new Dictionary<string, object?> { [PatienceKey] = stopping.Patience, [ThresholdKey] = stopping.Threshold },
            ["attributes"] = new Dictionary<string, object?> { [CounterKey] = stopping.Counter },
        },
    };

    /// <summary>Writes <see cref="FileName"/> into a folder, whole or not at all.</summary>
    /// <exception cref="AsrException">It cannot be written.</exception>
    public void Save(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        AtomicFile.Write(Path.Combine(directory, FileName), stream => stream.Write(Encoding.UTF8.GetBytes(ToJson())));
    }

    /// <summary>Reads <see cref="FileName"/> of a folder, written here or by transformers.</summary>
    /// <exception cref="AsrException">It is missing or damaged.</exception>
    public static TrainerState Load(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        var path = Path.Combine(directory, FileName);
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > MaxBytes })
            {
                throw new AsrException($"{path} is larger than {MaxBytes >> 20} MiB: that is no trainer state.");
            }

            return Parse(File.ReadAllText(path));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{path} cannot be read: {error.Message}", error);
        }
        catch (Exception error) when (error is JsonException or FormatException)
        {
            throw new AsrException($"{path} is damaged: {error.Message}", error);
        }
    }

    /// <summary>Reads the text of a file.</summary>
    /// <exception cref="JsonException">It is not JSON.</exception>
    /// <exception cref="FormatException">A key is missing or of the wrong kind.</exception>
    public static TrainerState Parse(string json)
    {
        var root = PythonJson.Parse(json) as JsonObject ?? throw new FormatException("no JSON object");
        var state = new TrainerState
        {
            GlobalStep = Whole(root, "global_step"),
            Epoch = PythonJson.ToDouble(root["epoch"]) ?? 0,
            MaxSteps = Whole(root, "max_steps"),
            NumTrainEpochs = OptionalWhole(root, "num_train_epochs") ?? 0,
            TrainBatchSize = OptionalWhole(root, "train_batch_size") ?? 0,
            LoggingSteps = OptionalWhole(root, "logging_steps") ?? 500,
            EvalSteps = OptionalWhole(root, "eval_steps") ?? 500,
            SaveSteps = OptionalWhole(root, "save_steps") ?? 500,
            BestMetric = PythonJson.ToDouble(root["best_metric"]),
            BestGlobalStep = OptionalWhole(root, "best_global_step"),
            BestModelCheckpoint = root["best_model_checkpoint"] is JsonValue folder && folder.TryGetValue<string>(out var text) ? text : null,
            TotalFlos = PythonJson.ToDouble(root["total_flos"]) ?? 0,
            EarlyStopping = Stopping(root),
        };
        foreach (var node in root["log_history"] as JsonArray ?? throw new FormatException("\"log_history\" is missing"))
        {
            var line = node as JsonObject ?? throw new FormatException("\"log_history\" holds something else than objects");
            state._log.Add(new TrainerLogEntry(
                Whole(line, "step"),
                PythonJson.ToDouble(line["epoch"]) ?? 0,
                line.Where(pair => pair.Key is not ("step" or "epoch"))
                    .Select(pair => (pair.Key, Value: PythonJson.ToDouble(pair.Value)))
                    .Where(pair => pair.Value is not null)
                    .ToDictionary(pair => pair.Key, pair => pair.Value!.Value, StringComparer.Ordinal)));
        }

        return state;
    }

    private static EarlyStoppingState? Stopping(JsonObject root)
    {
        if ((root["stateful_callbacks"] as JsonObject)?[EarlyStoppingCallback] is not JsonObject callback)
        {
            return null;
        }

        var args = callback["args"] as JsonObject ?? throw new FormatException($"\"{EarlyStoppingCallback}\" has no \"args\"");
        var attributes = callback["attributes"] as JsonObject ?? throw new FormatException($"\"{EarlyStoppingCallback}\" has no \"attributes\"");
        return new EarlyStoppingState(Whole(args, PatienceKey), PythonJson.ToDouble(args[ThresholdKey]) ?? 0, Whole(attributes, CounterKey));
    }

    private static int Whole(JsonObject node, string key) => OptionalWhole(node, key) ?? throw new FormatException($"\"{key}\" is missing or no whole number");

    private static int? OptionalWhole(JsonObject node, string key) => PythonJson.ToDouble(node[key]) switch
    {
        null => null,
        >= 0 and <= int.MaxValue and { } number when number == Math.Floor(number) => (int)number,
        { } other => throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"\"{key}\" is {other}, expected a whole number")),
    };
}
