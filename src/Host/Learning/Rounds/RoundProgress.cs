using AsrPlatform.Abstractions.Training;
using AsrPlatform.Host.Learning.Gate;

namespace AsrPlatform.Host.Learning.Rounds;

/// <summary>How far a round is. A round's process writes one a line, as JSON, on its standard output.</summary>
/// <param name="Phase"><c>data</c>, <c>training</c>, <c>evaluating</c> or <c>paused</c>.</param>
/// <param name="Step">Of <paramref name="MaxSteps"/>: of training, or per cent of the evaluation.</param>
/// <param name="MaxSteps">All steps; 0 while that is not known.</param>
/// <param name="Loss">Of the last step.</param>
/// <param name="Values">What else the trainer says, under its names.</param>
internal sealed record RoundProgress(string Phase, int Step, int MaxSteps, double? Loss, IReadOnlyDictionary<string, double> Values)
{
    public const string Data = "data";
    public const string Training = "training";
    public const string Evaluating = "evaluating";
    public const string Paused = "paused";

    private static readonly IReadOnlyDictionary<string, double> NoValues = new Dictionary<string, double>();

    /// <summary>Nothing is known yet.</summary>
    public static RoundProgress Started { get; } = new(Data, 0, 0, null, NoValues);

    /// <summary>What a trainer reports; JSON has no infinities.</summary>
    public static RoundProgress Of(TrainingProgress progress) => new(
        Training,
        progress.Step,
        progress.MaxSteps,
        progress.Values.TryGetValue("loss", out var loss) && double.IsFinite(loss) ? loss : null,
        progress.Values.Where(value => double.IsFinite(value.Value)).ToDictionary(StringComparer.Ordinal));

    /// <summary>What the gate reports.</summary>
    public static RoundProgress Of(GateProgress progress) => new(Evaluating, (int)(100 * progress.Done), 100, null, NoValues);
}
