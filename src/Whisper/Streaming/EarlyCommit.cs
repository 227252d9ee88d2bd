namespace AsrPlatform.Whisper.Streaming;

/// <summary>Lets words that are probably right be final with less audio behind them. Immutable.</summary>
/// <param name="Confidence">How probable it must be that a word is right, 0…1.</param>
/// <param name="HoldBackSeconds">Audio at the end of a window that such a word must not rest on.</param>
/// <param name="Calibrate">
/// The chance that a word is right, 0…1, of the model's own confidence in it and the adapter version that heard it. Called on the stream's
/// thread; safe for concurrent calls, since streams share it.
/// </param>
public sealed record EarlyCommit(double Confidence, double HoldBackSeconds, Func<double, string, double> Calibrate);
