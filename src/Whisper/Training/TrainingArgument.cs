using System.Globalization;
using System.Text.Json;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Training;

/// <summary>One argument of <see cref="TrainingArguments"/>: its name, what it is for, and how its value reads.</summary>
public sealed class TrainingArgument
{
    private readonly Func<TrainingArguments, string, TrainingArguments> _apply;
    private readonly Func<TrainingArguments, string?> _format;

    private TrainingArgument(
        string name, string valueName, string description, Func<TrainingArguments, string, TrainingArguments> apply, Func<TrainingArguments, string?> format)
    {
        Name = name;
        ValueName = valueName;
        Description = description;
        _apply = apply;
        _format = format;
    }

    /// <summary>Every argument, in the order of their help.</summary>
    public static IReadOnlyList<TrainingArgument> All { get; } =
    [
        Text("output-dir", "DIR", "folder for checkpoints and the result", a => a.OutputDir, (a, v) => a with { OutputDir = v }),
        Whole("per-device-train-batch-size", 1, "examples of a micro-batch", a => a.PerDeviceTrainBatchSize, (a, v) => a with { PerDeviceTrainBatchSize = v!.Value }),
        Whole("per-device-eval-batch-size", 1, "examples of a batch of an evaluation", a => a.PerDeviceEvalBatchSize, (a, v) => a with { PerDeviceEvalBatchSize = v!.Value }),
        Whole("gradient-accumulation-steps", 1, "micro-batches of an optimizer step", a => a.GradientAccumulationSteps, (a, v) => a with { GradientAccumulationSteps = v!.Value }),
        Whole("data-parallel", 1, "micro-batches of a step that are computed at the same time, each on its share of the threads; for the processor", a => a.DataParallel, (a, v) => a with { DataParallel = v!.Value }),
        Choice("accumulation-normalization", "loss of a step over its micro-batches: token = one large batch; mean-of-means and sum = what transformers 4.57 and 5.23 do", a => a.AccumulationNormalization, (a, v) => a with { AccumulationNormalization = v }),
        Real("learning-rate", 0, double.MaxValue, "peak learning rate", a => a.LearningRate, (a, v) => a with { LearningRate = v!.Value }),
        StepsOrShare("warmup-steps", allowZero: true, "optimizer steps of warm-up; below 1 a share of all steps", a => a.WarmupSteps, (a, v) => a with { WarmupSteps = v!.Value }),
        MaxSteps(),
        Real("num-train-epochs", double.Epsilon, double.MaxValue, "passes over the examples, unless --max-steps is given", a => a.NumTrainEpochs, (a, v) => a with { NumTrainEpochs = v!.Value }),
        Flag("gradient-checkpointing", "computes activations again in the backward pass: less memory, more time", a => a.GradientCheckpointing, (a, v) => a with { GradientCheckpointing = v }),
        Flag("fp16", "half precision with a loss scaler", a => a.Fp16, (a, v) => a with { Fp16 = v }),
        Flag("bf16", "bfloat16", a => a.Bf16, (a, v) => a with { Bf16 = v }),
        Choice("eval-strategy", "when to evaluate", a => a.EvalStrategy, (a, v) => a with { EvalStrategy = v }),
        StepsOrShare("eval-steps", allowZero: false, "steps between evaluations; below 1 a share of all steps; as --logging-steps if not given", a => a.EvalSteps, (a, v) => a with { EvalSteps = v }, optional: true),
        Flag("predict-with-generate", "evaluations transcribe and measure the word error rate", a => a.PredictWithGenerate, (a, v) => a with { PredictWithGenerate = v }),
        Whole("generation-max-length", 2, "largest number of tokens that an evaluation generates; the model's if not given", a => a.GenerationMaxLength, (a, v) => a with { GenerationMaxLength = v }, optional: true),
        Choice("save-strategy", "when to save", a => a.SaveStrategy, (a, v) => a with { SaveStrategy = v }),
        StepsOrShare("save-steps", allowZero: false, "steps between checkpoints; below 1 a share of all steps", a => a.SaveSteps, (a, v) => a with { SaveSteps = v!.Value }),
        Whole("save-total-limit", 1, "checkpoints to keep, the best besides; all if not given", a => a.SaveTotalLimit, (a, v) => a with { SaveTotalLimit = v }, optional: true),
        Choice("logging-strategy", "when to log", a => a.LoggingStrategy, (a, v) => a with { LoggingStrategy = v }),
        StepsOrShare("logging-steps", allowZero: false, "steps between log lines; below 1 a share of all steps", a => a.LoggingSteps, (a, v) => a with { LoggingSteps = v!.Value }),
        Flag("logging-first-step", "logs the first step too", a => a.LoggingFirstStep, (a, v) => a with { LoggingFirstStep = v }),
        ReportTo(),
        Flag("load-best-model-at-end", "ends with the weights of the best evaluation", a => a.LoadBestModelAtEnd, (a, v) => a with { LoadBestModelAtEnd = v }),
        MetricForBestModel(),
        Whole("early-stopping-patience", 1, "ends the run after so many evaluations in a row that are no better than the best", a => a.EarlyStoppingPatience, (a, v) => a with { EarlyStoppingPatience = v }, optional: true),
        Real("early-stopping-threshold", 0, double.MaxValue, "by how much an evaluation must be better to count", a => a.EarlyStoppingThreshold, (a, v) => a with { EarlyStoppingThreshold = v!.Value }),
        Flag("greater-is-better", "whether a larger metric is better; false if not given", a => a.GreaterIsBetter, (a, v) => a with { GreaterIsBetter = v }),
        Choice("lr-scheduler-type", "course of the learning rate", a => a.LrSchedulerType, (a, v) => a with { LrSchedulerType = v }),
        LrSchedulerKwargs(),
        Real("weight-decay", 0, double.MaxValue, "decoupled weight decay, not on biases and layer norms", a => a.WeightDecay, (a, v) => a with { WeightDecay = v!.Value }),
        Real("adam-beta1", 0, Below1, "AdamW's decay of the first moment", a => a.AdamBeta1, (a, v) => a with { AdamBeta1 = v!.Value }),
        Real("adam-beta2", 0, Below1, "AdamW's decay of the second moment", a => a.AdamBeta2, (a, v) => a with { AdamBeta2 = v!.Value }),
        Real("adam-epsilon", 0, double.MaxValue, "AdamW's epsilon", a => a.AdamEpsilon, (a, v) => a with { AdamEpsilon = v!.Value }),
        Real("max-grad-norm", 0, double.MaxValue, "largest norm of all gradients; 0 does not clip", a => a.MaxGradNorm, (a, v) => a with { MaxGradNorm = v!.Value }),
        Whole("seed", 0, "seed of everything random", a => a.Seed, (a, v) => a with { Seed = v!.Value }),
        Whole("data-seed", 0, "seed of the order of examples; as --seed if not given", a => a.DataSeed, (a, v) => a with { DataSeed = v }, optional: true),
        Real("label-smoothing-factor", 0, Below1, "share of the label's probability that is spread over the vocabulary", a => a.LabelSmoothingFactor, (a, v) => a with { LabelSmoothingFactor = v!.Value }),
        Flag("freeze-encoder", "trains the decoder alone", a => a.FreezeEncoder, (a, v) => a with { FreezeEncoder = v }),
        Choice("train-sampling-strategy", "order of the examples", a => a.TrainSamplingStrategy, (a, v) => a with { TrainSamplingStrategy = v }),
        Flag("dataloader-drop-last", "leaves out an epoch's last micro-batch when it is not full", a => a.DataloaderDropLast, (a, v) => a with { DataloaderDropLast = v }),
        ResumeFromCheckpoint(),
        Flag("apply-spec-augment", "masks spans of the features in training; as config.json says if not given", a => a.ApplySpecAugment, (a, v) => a with { ApplySpecAugment = v }),
        Real("mask-time-prob", 0, 1, "share of frames under time masks, at most", a => a.MaskTimeProb, (a, v) => a with { MaskTimeProb = v }, optional: true),
        Whole("mask-time-length", 1, "frames of a time mask", a => a.MaskTimeLength, (a, v) => a with { MaskTimeLength = v }, optional: true),
        Whole("mask-time-min-masks", 0, "least number of time masks", a => a.MaskTimeMinMasks, (a, v) => a with { MaskTimeMinMasks = v }, optional: true),
        Real("mask-feature-prob", 0, 1, "share of mel bins under feature masks, at most", a => a.MaskFeatureProb, (a, v) => a with { MaskFeatureProb = v }, optional: true),
        Whole("mask-feature-length", 1, "mel bins of a feature mask", a => a.MaskFeatureLength, (a, v) => a with { MaskFeatureLength = v }, optional: true),
        Whole("mask-feature-min-masks", 0, "least number of feature masks", a => a.MaskFeatureMinMasks, (a, v) => a with { MaskFeatureMinMasks = v }, optional: true),
        Real("frequency-warp", 0, Training.FrequencyWarp.MaxStrength, "warps each example's frequencies by a random factor of up to 1 + this, as other speakers would", a => a.FrequencyWarp, (a, v) => a with { FrequencyWarp = v!.Value }),
        Real("equalizer-db", 0, RandomEqualizer.MaxDecibels, "raises and lowers each example's frequencies along a random curve by up to so many dB, as other microphones and voices would", a => a.EqualizerDb, (a, v) => a with { EqualizerDb = v!.Value }),
        Real("ctc-weight", 0, 1, "weight of an auxiliary CTC loss on the encoder", a => a.CtcWeight, (a, v) => a with { CtcWeight = v!.Value }),
        Choice("ctc-units", "what the CTC loss predicts", a => a.CtcUnits, (a, v) => a with { CtcUnits = v }),
        Real("kl-weight", 0, double.MaxValue, "weight of the divergence from the base model, KL(base ‖ adapted), on examples whose kind is replay or anchor; for adapters", a => a.KlWeight, (a, v) => a with { KlWeight = v!.Value }),
        Choice("encoder-context", "full: always 30 s; dynamic: as long as the batch's longest example", a => a.EncoderContext, (a, v) => a with { EncoderContext = v }),
        Optimizer(),
    ];

    /// <summary>Arguments that Hugging Face has or had and that are refused here, with the reason and what to do.</summary>
    public static IReadOnlyDictionary<string, string> Refused { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["warmup-ratio"] = "give --warmup-steps a number below 1: that is the ratio",
        ["evaluation-strategy"] = "it is called --eval-strategy",
        ["group-by-length"] = "it is called --train-sampling-strategy group_by_length",
        ["half-precision-backend"] = "there is one backend",
        ["fp16-full-eval"] = "evaluations compute in the precision of the training",
        ["bf16-full-eval"] = "evaluations compute in the precision of the training",
        ["generation-num-beams"] = "evaluations decode greedily; measure beams with './asr evaluate'",
        ["push-to-hub"] = "nothing is uploaded; the output folder is a checkpoint that can be",
        ["hub-model-id"] = "nothing is uploaded; the output folder is a checkpoint that can be",
        ["hub-token"] = "nothing is uploaded; the output folder is a checkpoint that can be",
        ["dataloader-num-workers"] = "examples are loaded ahead without being told",
        ["dataloader-pin-memory"] = "the trainer knows when to pin memory",
        ["remove-unused-columns"] = "there are no columns: a manifest has audio and text",
        ["overwrite-output-dir"] = "give a new folder, or go on with --resume-from-checkpoint true",
        ["deepspeed"] = "training runs on one device",
        ["fsdp"] = "training runs on one device",
        ["ddp-find-unused-parameters"] = "training runs on one device",
        ["torch-compile"] = "there is no Python to compile",
        ["save-safetensors"] = "checkpoints are always safetensors",
        ["save-only-model"] = "every checkpoint can be resumed from; the output folder holds the model alone",
        ["logging-dir"] = "event files are in the output folder's runs/",
        ["use-cpu"] = "give --device cpu",
        ["no-cuda"] = "give --device cpu",
        ["auto-find-batch-size"] = "give --per-device-train-batch-size, and --gradient-accumulation-steps for the rest",
        ["eval-delay"] = "evaluations start with the first --eval-steps",
        ["neftune-noise-alpha"] = "it is for language models",
        ["eval-accumulation-steps"] = "predictions never stay on the device",
        ["do-train"] = "the verb trains; --eval says what to evaluate on",
        ["do-eval"] = "--eval-strategy says when to evaluate",
        ["prediction-loss-only"] = "leave --predict-with-generate out: then evaluations measure the loss alone",
        ["full-determinism"] = "runs on the CPU are deterministic without it; on a GPU it is not offered",
        ["include-num-input-tokens-seen"] = "inputs are audio, not tokens",
    };

    /// <summary>Kebab-case name, without hyphens in front.</summary>
    public string Name { get; }

    /// <summary>What stands for the value in help texts, such as <c>N</c> or <c>no|steps|epoch</c>.</summary>
    public string ValueName { get; }

    /// <summary>One line for people.</summary>
    public string Description { get; }

    /// <summary>True when the name alone means <c>true</c>.</summary>
    public bool IsFlag => ValueName == FlagValue;

    /// <summary>More choices do not fit where the value's name stands.</summary>
    private const int MostShown = 4;

    private const string FlagValue = "true|false";
    private const double Below1 = 0.99999999999999989;

    /// <summary>The argument of this name.</summary>
    /// <exception cref="AsrException">There is none; the message says why, or which one may be meant.</exception>
    public static TrainingArgument Find(string name)
    {
        var normalized = NormalizeName(name);
        if (All.FirstOrDefault(argument => argument.Name == normalized) is { } found)
        {
            return found;
        }

        if (Refused.TryGetValue(normalized, out var reason))
        {
            throw new AsrException($"--{normalized} is not accepted: {reason}.");
        }

        var nearest = All.MinBy(argument => Distance(argument.Name, normalized))!.Name;
        throw new AsrException(Distance(nearest, normalized) <= Math.Max(2, normalized.Length / 4)
            ? $"There is no training argument '{normalized}'; did you mean '{nearest}'?"
            : $"There is no training argument '{normalized}'; see './asr train --help'.");
    }

    /// <summary>A name without hyphens in front, its words joined by hyphens.</summary>
    public static string NormalizeName(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name.Trim().TrimStart('-').Replace('_', '-').ToLowerInvariant();
    }

    /// <summary>Sets the argument from its text.</summary>
    /// <exception cref="AsrException">The text cannot be used.</exception>
    public TrainingArguments Apply(TrainingArguments arguments, string value)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        ArgumentNullException.ThrowIfNull(value);
        return _apply(arguments, value.Trim());
    }

    /// <summary>The argument's value as text, or null where it has none.</summary>
    public string? Format(TrainingArguments arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        return _format(arguments);
    }

    private static AsrException Wrong(string name, string value, string expected) => new($"--{name} {value}: expected {expected}.");

    private static bool IsNone(string value) => value.Equals("none", StringComparison.OrdinalIgnoreCase) || value.Equals("null", StringComparison.OrdinalIgnoreCase);

    private static TrainingArgument Text(
        string name, string valueName, string description, Func<TrainingArguments, string?> get, Func<TrainingArguments, string, TrainingArguments> set) =>
        new(name, valueName, description, (a, v) => v.Length == 0 ? throw Wrong(name, "''", "a text") : set(a, v), get);

    private static TrainingArgument Whole(
        string name, int least, string description, Func<TrainingArguments, int?> get, Func<TrainingArguments, int?, TrainingArguments> set, bool optional = false) =>
        new(
            name,
            "N",
            description,
            (a, v) => optional && IsNone(v) ? set(a, null)
                : int.TryParse(v, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= least ? set(a, number)
                : throw Wrong(name, v, $"a whole number from {least}"),
            a => get(a)?.ToString(CultureInfo.InvariantCulture));

    private static TrainingArgument MaxSteps() => new(
        "max-steps",
        "N",
        "optimizer steps; takes precedence over --num-train-epochs",
        (a, v) => int.TryParse(v, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number is -1 or > 0
            ? a with { MaxSteps = number }
            : throw Wrong("max-steps", v, "a whole number from 1, or -1 for --num-train-epochs"),
        a => a.MaxSteps.ToString(CultureInfo.InvariantCulture));

    private static TrainingArgument Real(
        string name, double least, double most, string description, Func<TrainingArguments, double?> get, Func<TrainingArguments, double?, TrainingArguments> set, bool optional = false)
    {
        var range = most == double.MaxValue ? (least == 0 ? "a number from 0" : "a number above 0") : most == 1 ? "a number from 0 to 1" : "a number from 0 to below 1";
        return new(
            name,
            "X",
            description,
            (a, v) => optional && IsNone(v) ? set(a, null) : TryReal(v, out var number) && number >= least && number <= most ? set(a, number) : throw Wrong(name, v, range),
            a => get(a)?.ToString("R", CultureInfo.InvariantCulture));
    }

    private static TrainingArgument StepsOrShare(
        string name, bool allowZero, string description, Func<TrainingArguments, double?> get, Func<TrainingArguments, double?, TrainingArguments> set, bool optional = false) =>
        new(
            name,
            "N",
            description,
            (a, v) => optional && IsNone(v) ? set(a, null)
                : TryReal(v, out var number) && number is > 0 and <= int.MaxValue && (number < 1 || number == Math.Floor(number)) || (allowZero && number == 0 && TryReal(v, out _)) ? set(a, number)
                : throw Wrong(name, v, "a whole number of steps, or a share of all steps below 1"),
            a => get(a)?.ToString("R", CultureInfo.InvariantCulture));

    private static TrainingArgument Flag(string name, string description, Func<TrainingArguments, bool?> get, Func<TrainingArguments, bool, TrainingArguments> set) =>
        new(
            name,
            FlagValue,
            description,
            (a, v) => v.ToLowerInvariant() switch
            {
                "true" or "yes" or "on" or "1" or "" => set(a, true),
                "false" or "no" or "off" or "0" => set(a, false),
                _ => throw Wrong(name, v, "true or false"),
            },
            a => get(a) switch { true => "true", false => "false", null => null });

    private static TrainingArgument Choice<T>(string name, string description, Func<TrainingArguments, T> get, Func<TrainingArguments, T, TrainingArguments> set)
        where T : struct, Enum =>
        new(
            name,
            Names.All<T>().Count > MostShown ? "NAME" : string.Join('|', Names.All<T>()),
            Names.All<T>().Count > MostShown ? $"{description}: {string.Join(", ", Names.All<T>())}" : description,
            (a, v) => Names.TryParse<T>(v, out var choice) ? set(a, choice) : throw Wrong(name, v, $"one of {string.Join(", ", Names.All<T>())}"),
            a => Names.Of(get(a)));

    private static TrainingArgument ReportTo() => new(
        "report-to",
        "tensorboard|none",
        "writes TensorBoard event files into the output folder's runs/",
        (a, v) => v.Trim('[', ']', '"', '\'', ' ').ToLowerInvariant() switch
        {
            "tensorboard" => a with { ReportToTensorBoard = true },
            "none" or "" => a with { ReportToTensorBoard = false },
            _ => throw Wrong("report-to", v, "tensorboard or none; no other service is supported"),
        },
        a => a.ReportToTensorBoard ? "tensorboard" : "none");

    private static TrainingArgument MetricForBestModel() => new(
        "metric-for-best-model",
        "loss|wer",
        "metric that says which evaluation is the best; loss if --load-best-model-at-end is given alone",
        (a, v) => v switch
        {
            "loss" or "eval_loss" => a with { MetricForBestModel = "loss" },
            "wer" or "eval_wer" => a with { MetricForBestModel = "wer" },
            _ => throw Wrong("metric-for-best-model", v, "loss or wer, which evaluations measure"),
        },
        a => a.MetricForBestModel);

    private static TrainingArgument ResumeFromCheckpoint() => new(
        "resume-from-checkpoint",
        "DIR|true",
        "goes on from a checkpoint; true: from the newest of the output folder",
        (a, v) => v.ToLowerInvariant() switch
        {
            "true" or "" => a with { ResumeFromCheckpoint = "true" },
            "false" or "none" or "null" => a with { ResumeFromCheckpoint = null },
            _ => a with { ResumeFromCheckpoint = v },
        },
        a => a.ResumeFromCheckpoint);

    private static TrainingArgument LrSchedulerKwargs() => new(
        "lr-scheduler-kwargs",
        "JSON",
        "further settings of the scheduler, such as {\"num_cycles\": 2}",
        (a, v) =>
        {
            try
            {
                using var document = JsonDocument.Parse(v.Length == 0 ? "{}" : v, new JsonDocumentOptions { AllowDuplicateProperties = false });
                if (document.RootElement.ValueKind == JsonValueKind.Object)
                {
                    return a with { LrSchedulerKwargs = document.RootElement.EnumerateObject().ToDictionary(pair => pair.Name, pair => pair.Value.ToString(), StringComparer.Ordinal) };
                }
            }
            catch (JsonException)
            {
                // Said below.
            }

            throw Wrong("lr-scheduler-kwargs", v, "a JSON object, such as {\"num_cycles\": 2}");
        },
        a => a.LrSchedulerKwargs.Count == 0 ? null : JsonSerializer.Serialize(a.LrSchedulerKwargs.OrderBy(pair => pair.Key, StringComparer.Ordinal).ToDictionary(pair => pair.Key, pair => pair.Value)));

    /// <summary>The optimizer is AdamW; its name is accepted, because recipes give it, and stands for the default.</summary>
    private static TrainingArgument Optimizer() => new(
        "optim",
        "adamw_torch",
        "AdamW, the one optimizer",
        (a, v) => v is "adamw_torch" or "adamw_torch_fused" ? a : throw Wrong("optim", v, "adamw_torch: the trainer has one optimizer, AdamW"),
        _ => null);

    private static bool TryReal(string text, out double number) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number) && double.IsFinite(number);

    /// <summary>Levenshtein's distance.</summary>
    private static int Distance(string left, string right)
    {
        var row = Enumerable.Range(0, right.Length + 1).ToArray();
        for (var i = 1; i <= left.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= right.Length; j++)
            {
                var substitution = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substitution, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[^1];
    }
}
