using System.Globalization;
using System.Text.Json;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Training;

/// <summary>When something recurring happens (transformers' <c>IntervalStrategy</c>).</summary>
public enum IntervalStrategy
{
    /// <summary>Never.</summary>
    No,

    /// <summary>Every so many optimizer steps.</summary>
    Steps,

    /// <summary>At the end of each epoch.</summary>
    Epoch,
}

/// <summary>When checkpoints are saved (transformers' <c>SaveStrategy</c>).</summary>
public enum SaveStrategy
{
    /// <summary>Never.</summary>
    No,

    /// <summary>Every so many optimizer steps, and after the last.</summary>
    Steps,

    /// <summary>At the end of each epoch.</summary>
    Epoch,

    /// <summary>Whenever an evaluation is the best so far.</summary>
    Best,
}

/// <summary>How an epoch's order of examples comes about.</summary>
public enum SamplingStrategy
{
    /// <summary>A new permutation every epoch, from the seed.</summary>
    Random,

    /// <summary>The data set's order.</summary>
    Sequential,

    /// <summary>Random, examples of like length together.</summary>
    GroupByLength,

    /// <summary>
    /// The first epoch from the shortest example to the longest, the others as <see cref="GroupByLength"/>: a model that is trained from
    /// nothing finds what sounds have to do with letters in short examples first. Ours, not transformers'.
    /// </summary>
    ShortFirst,
}

/// <summary>What the loss of an optimizer step over several micro-batches is.</summary>
public enum AccumulationNormalization
{
    /// <summary>Sum of token losses over all tokens of the step: the same as one large batch.</summary>
    Token,

    /// <summary>Mean of the micro-batches' means (transformers 4.57 with Whisper).</summary>
    MeanOfMeans,

    /// <summary>Sum of the micro-batches' means (transformers 5.23 with Whisper, huggingface/transformers issue 47688).</summary>
    Sum,
}

/// <summary>How much audio the encoder sees of each example.</summary>
public enum EncoderContext
{
    /// <summary>Always the model's whole context (30 s), the rest silence.</summary>
    Full,

    /// <summary>As long as the batch's longest example.</summary>
    Dynamic,
}

/// <summary>What the auxiliary CTC loss predicts.</summary>
public enum CtcUnits
{
    /// <summary>The characters of the training texts.</summary>
    Characters,

    /// <summary>The tokens of the text.</summary>
    Tokens,
}

/// <summary>
/// How to train: Hugging Face's Seq2SeqTrainingArguments (transformers 5.23) as far as they mean something here, with their names,
/// meanings and defaults, and a few arguments of our own. Immutable.
/// </summary>
/// <remarks>
/// One default differs: <see cref="GreaterIsBetter"/> is false for error rates too, where transformers takes a larger one for better
/// unless told otherwise.
/// </remarks>
public sealed record TrainingArguments
{
    /// <summary>Every argument, in the order of their help.</summary>
    public static IReadOnlyList<TrainingArgument> All => TrainingArgument.All;

    /// <summary>Folder for checkpoints and the result.</summary>
    public string? OutputDir { get; init; }

    /// <summary>Examples of a micro-batch.</summary>
    public int PerDeviceTrainBatchSize { get; init; } = 8;

    /// <summary>Examples of a batch of an evaluation.</summary>
    public int PerDeviceEvalBatchSize { get; init; } = 8;

    /// <summary>Micro-batches of an optimizer step.</summary>
    public int GradientAccumulationSteps { get; init; } = 1;

    /// <summary>Micro-batches of a step that are computed at the same time; divides <see cref="GradientAccumulationSteps"/>. Ours: transformers starts a process for each.</summary>
    public int DataParallel { get; init; } = 1;

    /// <summary>What one optimizer step's loss is over its micro-batches.</summary>
    public AccumulationNormalization AccumulationNormalization { get; init; } = AccumulationNormalization.Token;

    /// <summary>Peak learning rate.</summary>
    public double LearningRate { get; init; } = 5e-5;

    /// <summary>Optimizer steps of warm-up; below 1 a share of all steps (see <see cref="TrainingPlan.WarmupSteps"/>).</summary>
    public double WarmupSteps { get; init; }

    /// <summary>Optimizer steps; −1: as many as <see cref="NumTrainEpochs"/> has.</summary>
    public int MaxSteps { get; init; } = -1;

    /// <summary>Passes over the examples, unless <see cref="MaxSteps"/> is given.</summary>
    public double NumTrainEpochs { get; init; } = 3;

    /// <summary>Computes activations again in the backward pass instead of keeping them.</summary>
    public bool GradientCheckpointing { get; init; }

    /// <summary>Matrix products in half precision, with a loss scaler; on a CUDA card.</summary>
    public bool Fp16 { get; init; }

    /// <summary>Matrix products in bfloat16; on a CUDA card, or a processor on which they are faster.</summary>
    public bool Bf16 { get; init; }

    /// <summary>When to evaluate.</summary>
    public IntervalStrategy EvalStrategy { get; init; } = IntervalStrategy.No;

    /// <summary>Steps between evaluations; below 1 a share of all steps; null: as <see cref="LoggingSteps"/>.</summary>
    public double? EvalSteps { get; init; }

    /// <summary>Whether evaluations transcribe and measure the word error rate, not the loss alone.</summary>
    public bool PredictWithGenerate { get; init; }

    /// <summary>Largest number of tokens that an evaluation generates, prefix included; null: the model's.</summary>
    public int? GenerationMaxLength { get; init; }

    /// <summary>When to save.</summary>
    public SaveStrategy SaveStrategy { get; init; } = SaveStrategy.Steps;

    /// <summary>Steps between checkpoints; below 1 a share of all steps.</summary>
    public double SaveSteps { get; init; } = 500;

    /// <summary>Checkpoints to keep; the best one is kept in any case. Null keeps all.</summary>
    public int? SaveTotalLimit { get; init; }

    /// <summary>When to log.</summary>
    public IntervalStrategy LoggingStrategy { get; init; } = IntervalStrategy.Steps;

    /// <summary>Steps between log lines; below 1 a share of all steps.</summary>
    public double LoggingSteps { get; init; } = 500;

    /// <summary>Logs the first step too.</summary>
    public bool LoggingFirstStep { get; init; }

    /// <summary>Whether to write TensorBoard event files.</summary>
    public bool ReportToTensorBoard { get; init; }

    /// <summary>Ends with the weights of the best evaluation.</summary>
    public bool LoadBestModelAtEnd { get; init; }

    /// <summary>The metric that says which evaluation is the best, <c>loss</c> or <c>wer</c>; null: no best is kept.</summary>
    public string? MetricForBestModel { get; init; }

    /// <summary>Whether a larger metric is better.</summary>
    public bool GreaterIsBetter { get; init; }

    /// <summary>
    /// Evaluations in a row without an improvement after which the run ends (transformers' <c>EarlyStoppingCallback</c>), at least 1; null
    /// for none.
    /// </summary>
    public int? EarlyStoppingPatience { get; init; }

    /// <summary>By more than this the metric must be better than the best to count as an improvement, at least 0.</summary>
    public double EarlyStoppingThreshold { get; init; }

    /// <summary>The course of the learning rate.</summary>
    public LrSchedulerType LrSchedulerType { get; init; } = LrSchedulerType.Linear;

    /// <summary>Further settings of the scheduler, such as <c>num_cycles</c>.</summary>
    public IReadOnlyDictionary<string, string> LrSchedulerKwargs { get; init; } = new Dictionary<string, string>();

    /// <summary>Decoupled weight decay; not on biases and layer norms.</summary>
    public double WeightDecay { get; init; }

    /// <summary>AdamW's decay of the first moment.</summary>
    public double AdamBeta1 { get; init; } = 0.9;

    /// <summary>AdamW's decay of the second moment.</summary>
    public double AdamBeta2 { get; init; } = 0.999;

    /// <summary>AdamW's epsilon, added after the square root.</summary>
    public double AdamEpsilon { get; init; } = 1e-8;

    /// <summary>Largest norm of all gradients; 0 does not clip.</summary>
    public double MaxGradNorm { get; init; } = 1;

    /// <summary>Seed of everything random.</summary>
    public int Seed { get; init; } = 42;

    /// <summary>Seed of the order of examples; null: <see cref="Seed"/>.</summary>
    public int? DataSeed { get; init; }

    /// <summary>Share of the label's probability that is spread over the vocabulary.</summary>
    public double LabelSmoothingFactor { get; init; }

    /// <summary>Trains the decoder alone.</summary>
    public bool FreezeEncoder { get; init; }

    /// <summary>The order of examples.</summary>
    public SamplingStrategy TrainSamplingStrategy { get; init; } = SamplingStrategy.Random;

    /// <summary>Leaves out an epoch's last micro-batch when it is not full.</summary>
    public bool DataloaderDropLast { get; init; }

    /// <summary>A checkpoint folder to go on from, <c>true</c> for the newest one of <see cref="OutputDir"/>, or null.</summary>
    public string? ResumeFromCheckpoint { get; init; }

    /// <summary>Masks spans of the features in training; null: what the model's config.json says.</summary>
    public bool? ApplySpecAugment { get; init; }

    /// <summary>Share of frames that starts of time masks may cover, 0…1; null: config.json's.</summary>
    public double? MaskTimeProb { get; init; }

    /// <summary>Frames of a time mask; null: config.json's.</summary>
    public int? MaskTimeLength { get; init; }

    /// <summary>Least number of time masks of an example; null: config.json's.</summary>
    public int? MaskTimeMinMasks { get; init; }

    /// <summary>Share of mel bins that feature masks may cover, 0…1; null: config.json's.</summary>
    public double? MaskFeatureProb { get; init; }

    /// <summary>Mel bins of a feature mask; null: config.json's.</summary>
    public int? MaskFeatureLength { get; init; }

    /// <summary>Least number of feature masks of an example; null: config.json's.</summary>
    public int? MaskFeatureMinMasks { get; init; }

    /// <summary>Strength w of a random warp of each example's frequencies: by factors between 1 / (1 + w) and 1 + w; 0 for none.</summary>
    public double FrequencyWarp { get; init; }

    /// <summary>Strength in dB of a random equalizer: each example's frequencies are raised and lowered by up to so much; 0 for none.</summary>
    public double EqualizerDb { get; init; }

    /// <summary>Weight w of an auxiliary CTC loss on the encoder, 0…1: the loss is (1 − w) × cross-entropy + w × CTC.</summary>
    public double CtcWeight { get; init; }

    /// <summary>What the CTC loss predicts.</summary>
    public CtcUnits CtcUnits { get; init; } = CtcUnits.Characters;

    /// <summary>
    /// Weight W of the divergence of an adapted model from its base: W × KL(base ‖ adapted), mean over the label tokens of the examples that
    /// are <see cref="Abstractions.Training.TrainingSample.IsReplay"/>, is added to the loss. 0 for none.
    /// </summary>
    public double KlWeight { get; init; }

    /// <summary>How much audio the encoder sees.</summary>
    public EncoderContext EncoderContext { get; init; } = EncoderContext.Full;

    /// <summary>Reads arguments by their names in kebab-case or snake_case.</summary>
    /// <exception cref="AsrException">A name is unknown, a value cannot be used, or two arguments contradict each other.</exception>
    public static TrainingArguments Parse(IReadOnlyDictionary<string, string> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        var given = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in values)
        {
            var name = TrainingArgument.NormalizeName(key);
            if (!given.TryAdd(name, value))
            {
                throw new AsrException($"--{name} is given twice (as '{key}' too).");
            }
        }

        var arguments = new TrainingArguments();
        foreach (var (name, value) in given)
        {
            arguments = TrainingArgument.Find(name).Apply(arguments, value);
        }

        if (arguments.LoadBestModelAtEnd || arguments.SaveStrategy == SaveStrategy.Best)
        {
            arguments = arguments with { MetricForBestModel = arguments.MetricForBestModel ?? "loss" };
        }

        arguments.Check(given);
        return arguments;
    }

    /// <summary>The arguments that differ from their defaults, in a form that <see cref="Parse"/> reads; for the record of a run.</summary>
    public IReadOnlyDictionary<string, string> ToDictionary()
    {
        var defaults = new TrainingArguments();
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var argument in All)
        {
            if (argument.Format(this) is { } value && value != argument.Format(defaults))
            {
                values.Add(argument.Name, value);
            }
        }

        return values;
    }

    /// <summary>Writes the arguments as a JSON object that <see cref="FromJson"/> reads.</summary>
    public string ToJson() => JsonSerializer.Serialize(ToDictionary(), JsonSerializerOptions.Web);

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="AsrException">It is no such text.</exception>
    public static TrainingArguments FromJson(string json)
    {
        try
        {
            return Parse(JsonSerializer.Deserialize<Dictionary<string, string>>(json, JsonSerializerOptions.Web) ?? []);
        }
        catch (JsonException error)
        {
            throw new AsrException($"These are no training arguments: {error.Message}", error);
        }
    }

    private void Check(Dictionary<string, string> given)
    {
        if (Fp16 && Bf16)
        {
            throw new AsrException("--fp16 and --bf16 exclude each other: take one.");
        }

        if (GradientAccumulationSteps % DataParallel != 0)
        {
            throw new AsrException(
                $"--data-parallel {DataParallel} computes so many micro-batches of a step at once: --gradient-accumulation-steps ({GradientAccumulationSteps}) must be a multiple of it.");
        }

        // transformers' __post_init__: the best model can only be reloaded when every evaluation that may be the best was saved.
        if (LoadBestModelAtEnd && SaveStrategy != SaveStrategy.Best)
        {
            if (SaveStrategy.ToString() != EvalStrategy.ToString())
            {
                throw new AsrException(
                    $"--load-best-model-at-end needs --eval-strategy and --save-strategy to be the same: they are {Names.Of(EvalStrategy)} and {Names.Of(SaveStrategy)}.");
            }

            if (EvalStrategy == IntervalStrategy.No)
            {
                throw new AsrException("--load-best-model-at-end needs evaluations: give --eval-strategy steps (or epoch).");
            }

            if (EvalStrategy == IntervalStrategy.Steps)
            {
                CheckMultiple();
            }
        }

        if (SaveStrategy == SaveStrategy.Best && EvalStrategy == IntervalStrategy.No)
        {
            throw new AsrException("--save-strategy best needs evaluations: give --eval-strategy steps (or epoch).");
        }

        if (MetricForBestModel == "wer" && !PredictWithGenerate)
        {
            throw new AsrException("--metric-for-best-model wer needs --predict-with-generate: without it evaluations measure the loss alone.");
        }

        if (given.ContainsKey("greater-is-better") && MetricForBestModel is null)
        {
            throw new AsrException("--greater-is-better needs --metric-for-best-model.");
        }

        if (given.ContainsKey("early-stopping-threshold") && EarlyStoppingPatience is null)
        {
            throw new AsrException("--early-stopping-threshold needs --early-stopping-patience.");
        }

        if (EarlyStoppingPatience is not null)
        {
            if (!LoadBestModelAtEnd)
            {
                throw new AsrException("--early-stopping-patience needs --load-best-model-at-end: the last weights of a run that stopped early are not its best.");
            }

            if (EvalStrategy == IntervalStrategy.No)
            {
                throw new AsrException("--early-stopping-patience needs evaluations: give --eval-strategy steps (or epoch).");
            }
        }

        if (given.ContainsKey("generation-max-length") && !PredictWithGenerate)
        {
            throw new AsrException("--generation-max-length needs --predict-with-generate.");
        }

        if (given.ContainsKey("ctc-units") && CtcWeight == 0)
        {
            throw new AsrException("--ctc-units needs --ctc-weight above 0.");
        }

        if (LabelSmoothingFactor > 0 && CtcWeight == 1)
        {
            throw new AsrException("--ctc-weight 1 trains without the cross-entropy that --label-smoothing-factor smooths: take a smaller weight.");
        }

        if (ApplySpecAugment == false)
        {
            foreach (var name in given.Keys.Where(name => name.StartsWith("mask-", StringComparison.Ordinal)))
            {
                throw new AsrException($"--{name} needs --apply-spec-augment; it is given as false.");
            }
        }

        // A schedule that cannot be made is refused now, not when the data has been read.
        _ = new LearningRateSchedule(this, maxSteps: 100, warmupSteps: 0);
    }

    private void CheckMultiple()
    {
        var evalSteps = EvalSteps ?? LoggingSteps;
        if ((evalSteps < 1) != (SaveSteps < 1))
        {
            throw new AsrException("--load-best-model-at-end needs --save-steps to be a multiple of --eval-steps: give both as steps, or both as ratios.");
        }

        // Ratios are compared in units of a millionth, as transformers does.
        var scale = evalSteps < 1 ? 1_000_000 : 1;
        if ((long)Math.Round(SaveSteps * scale) % Math.Max((long)Math.Round(evalSteps * scale), 1) != 0)
        {
            throw new AsrException(string.Create(
                CultureInfo.InvariantCulture,
                $"--load-best-model-at-end needs --save-steps to be a multiple of --eval-steps: they are {SaveSteps} and {evalSteps}."));
        }
    }
}
