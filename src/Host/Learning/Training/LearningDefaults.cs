namespace AsrPlatform.Host.Learning.Training;

/// <summary>How an adapter learns from corrections unless told otherwise; docs/learning-bench.md says how the values were found.</summary>
internal static class LearningDefaults
{
    /// <summary>
    /// The layers that an adapter changes: every linear one of the decoder, as a pattern. Those of the encoder beside them teach no more and make it forget more,
    /// and with the encoder as it is, each clip is encoded once.
    /// </summary>
    public const string TargetModules = @".*\.decoder\..*\.(q_proj|k_proj|v_proj|out_proj|fc1|fc2)";

    public const int LoraRank = 8;

    public const double LoraAlpha = 16;

    public const double LearningRate = 1.5e-3;

    /// <summary>Rows of a step, those of the anchor set included, those of earlier corrections not.</summary>
    public const int BatchSize = 20;

    /// <summary>Rows of the anchor set for each correction in a step.</summary>
    public const double ReplayRatio = 1;

    /// <summary>Rows of earlier corrections for each correction in a step, beside those of the anchor set.</summary>
    public const double EarlierRatio = 0.5;

    /// <summary>How strongly an adapter is held to the base model on replayed speech.</summary>
    public const double KlWeight = 2;

    /// <summary>Share of the new weights in the mean with the adapter that a round went on from; 1: no mean.</summary>
    public const double AverageShare = 1;

    /// <summary>
    /// Shares of a candidate that are tried in turn where all of it does harm; the rest is what it went on from. On the way back from new weights to old ones, what was
    /// forgotten returns sooner than what was learned goes (Wortsman et al., Robust fine-tuning of zero-shot models, 2022).
    /// </summary>
    public static readonly IReadOnlyList<double> Shares = [0.75, 0.5];

    private const int FewestSteps = 60;
    private const int FewCorrections = 20;
    private const int MostSteps = 600;
    private const int FewFolds = 2;
    private const int ManyFolds = 4;
    private const int EnoughForFewFolds = 12;

    /// <summary>Steps of a round: enough for twenty corrections to be seen thirty times, and three more for each beyond.</summary>
    /// <param name="corrections">Corrections that are new.</param>
    public static int Steps(int corrections) => Math.Clamp(FewestSteps + (3 * (corrections - FewCorrections)), FewestSteps, MostSteps);

    /// <summary>Trainings of a cross-validation: of few corrections, most have to be trained on for the rest to show anything; of twelve, half will do.</summary>
    /// <param name="corrections">Corrections to divide.</param>
    public static int Folds(int corrections) => corrections >= EnoughForFewFolds ? FewFolds : ManyFolds;
}
