using System.Globalization;
using AsrPlatform.Host.Learning.Datasets;
using AsrPlatform.Host.Learning.Training;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Learning.Rounds;

/// <summary>When and how it is learned from corrections. Bound from the section <c>Learning</c>; read once at start.</summary>
internal sealed class LearningOptions : IValidateOptions<LearningOptions>
{
    public const string Section = "Learning";

    /// <summary>Whether the host starts rounds by itself. By hand (page, API, <c>asr learn</c>) they can be started in any case. Default true.</summary>
    public bool Automatic { get; set; } = true;

    /// <summary>A round starts once so many corrections are ready that no round has tried. Default 20, 1 … 100,000.</summary>
    public int MinimumCorrections { get; set; } = 20;

    /// <summary>A round starts once a correction has been ready for so long untried. Default 1 h, 1 min … 365 days.</summary>
    public TimeSpan MaximumAge { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Times of the day (<c>03:00</c>, the machine's own) at which a round starts when anything is new. Default: none.</summary>
    public string[] Schedule { get; set; } = [];

    /// <summary>How often the host looks whether a round is due. Default 10 s, 1 s … 1 day.</summary>
    public TimeSpan CheckInterval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>A round of the host pauses while captions are later than this; it goes on when they have been on time for a while. Default 1.5 s, 0.1 s … 60 s.</summary>
    public TimeSpan PauseLag { get; set; } = TimeSpan.FromSeconds(1.5);

    /// <summary>A round of the host pauses while so many sessions take audio. Default: never for that reason; 1 … 10,000.</summary>
    public int? PauseSessions { get; set; }

    /// <summary>Threads of a round on the processor; 0 (default): the trainer chooses. A host's rounds have the lowest priority, however many. 0 … 1,024.</summary>
    public int Threads { get; set; }

    /// <summary>Where rounds compute: <c>auto</c> (default: the trainer's best), <c>cpu</c>, <c>cuda:0</c>, …</summary>
    public string Device { get; set; } = "auto";

    /// <summary>Folder of the anchor set. Default: the model's own.</summary>
    public string? Anchor { get; set; }

    /// <summary>Part of the corrections that is held out, once that makes ten. Default 0.2, 0 … 0.5.</summary>
    public double HeldOutShare { get; set; } = 0.2;

    /// <summary>Rows of the anchor set for each correction in a step. Default 1, 0 … 10.</summary>
    public double ReplayRatio { get; set; } = LearningDefaults.ReplayRatio;

    /// <summary>Rows of earlier corrections, which the adapter that a round goes on from knows, for each correction in a step, beside those of the anchor set. Default 0.5, 0 … 10.</summary>
    public double EarlierRatio { get; set; } = LearningDefaults.EarlierRatio;

    /// <summary>What a round goes on from: <c>active</c> (default) or <c>fresh</c>.</summary>
    public string Start { get; set; } = "active";

    /// <summary>Rank of a fresh adapter. Default 8, 1 … 512.</summary>
    public int LoraRank { get; set; } = LearningDefaults.LoraRank;

    /// <summary>Its alpha. Default 16, above 0.</summary>
    public double LoraAlpha { get; set; } = LearningDefaults.LoraAlpha;

    /// <summary>The layers that it changes, as <c>asr train --target-modules</c> takes them. Default: every linear one of the decoder.</summary>
    public string TargetModules { get; set; } = LearningDefaults.TargetModules;

    /// <summary>Default 1.5e-3, above 0, at most 1.</summary>
    public double LearningRate { get; set; } = LearningDefaults.LearningRate;

    /// <summary>Steps of a round; 0 (default): as many as <see cref="LearningDefaults.Steps"/> says. 0 … 100,000.</summary>
    public int Steps { get; set; }

    /// <summary>Rows of a step, replayed ones included. Default 20, 2 … 1,024.</summary>
    public int BatchSize { get; set; } = LearningDefaults.BatchSize;

    /// <summary>How strongly the adapter is held to the base model on replayed speech. Default 2, 0 … 100.</summary>
    public double KlWeight { get; set; } = LearningDefaults.KlWeight;

    /// <summary>Share of the new weights in the mean with the adapter that the round went on from. Default 1 (no mean), above 0.</summary>
    public double AverageShare { get; set; } = LearningDefaults.AverageShare;

    /// <summary>Trainings of a cross-validation, where too few corrections are held out; 0 (default): as many as <see cref="LearningDefaults.Folds"/> says. 0, 2 … 20.</summary>
    public int Folds { get; set; }

    /// <summary>Further arguments of <c>asr train</c>, such as <c>lr-scheduler-type=cosine</c>.</summary>
    public string[] Arguments { get; set; } = [];

    /// <summary>How data sets are put together.</summary>
    public DatasetSettings Dataset() => new() { HeldOutShare = HeldOutShare, ReplayRatio = ReplayRatio };

    /// <summary><see cref="Schedule"/> as times.</summary>
    public IEnumerable<TimeOnly> Times() => Schedule.Select(text => TimeOnly.Parse(text, CultureInfo.InvariantCulture)).Order();

    public ValidateOptionsResult Validate(string? name, LearningOptions options)
    {
        List<string> errors = [];
        Check(nameof(MinimumCorrections), options.MinimumCorrections, 1, 100_000);
        CheckTime(nameof(MaximumAge), options.MaximumAge, TimeSpan.FromMinutes(1), TimeSpan.FromDays(365));
        CheckTime(nameof(CheckInterval), options.CheckInterval, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
        CheckTime(nameof(PauseLag), options.PauseLag, TimeSpan.FromSeconds(0.1), TimeSpan.FromMinutes(1));
        Check(nameof(PauseSessions), options.PauseSessions ?? 1, 1, 10_000);
        Check(nameof(Threads), options.Threads, 0, 1024);
        Check(nameof(HeldOutShare), options.HeldOutShare, 0, 0.5);
        Check(nameof(ReplayRatio), options.ReplayRatio, 0, 10);
        Check(nameof(EarlierRatio), options.EarlierRatio, 0, 10);
        Check(nameof(LoraRank), options.LoraRank, 1, 512);
        Check(nameof(LoraAlpha), options.LoraAlpha, double.Epsilon, 4096);
        Check(nameof(LearningRate), options.LearningRate, double.Epsilon, 1);
        Check(nameof(Steps), options.Steps, 0, 100_000);
        Check(nameof(BatchSize), options.BatchSize, 2, 1024);
        Check(nameof(KlWeight), options.KlWeight, 0, 100);
        Check(nameof(AverageShare), options.AverageShare, double.Epsilon, 1);
        if (options.Folds != 0)
        {
            Check(nameof(Folds), options.Folds, 2, 20);
        }

        if (options.Start is not ("active" or "fresh"))
        {
            errors.Add($"{Section}:{nameof(Start)} is '{options.Start}'; it must be active or fresh.");
        }

        foreach (var time in options.Schedule.Where(time => !TimeOnly.TryParse(time, CultureInfo.InvariantCulture, out _)))
        {
            errors.Add($"{Section}:{nameof(Schedule)} holds '{time}'; give times of the day such as 03:00.");
        }

        foreach (var argument in options.Arguments.Where(argument => argument.IndexOf('=', StringComparison.Ordinal) <= 0))
        {
            errors.Add($"{Section}:{nameof(Arguments)} holds '{argument}'; give NAME=VALUE, such as weight-decay=0.01.");
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);

        void Check(string option, double value, double minimum, double maximum)
        {
            if (!(value >= minimum && value <= maximum))
            {
                errors.Add(minimum == double.Epsilon
                    ? FormattableString.Invariant($"{Section}:{option} is {value}; it must be above 0, at most {maximum}.")
                    : FormattableString.Invariant($"{Section}:{option} is {value}; it must be {minimum} … {maximum}."));
            }
        }

        void CheckTime(string option, TimeSpan value, TimeSpan minimum, TimeSpan maximum)
        {
            if (value < minimum || value > maximum)
            {
                errors.Add(FormattableString.Invariant($"{Section}:{option} is {value}; it must be {minimum} … {maximum}."));
            }
        }
    }
}
