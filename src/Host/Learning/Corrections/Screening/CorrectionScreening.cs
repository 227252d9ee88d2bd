using AsrPlatform.Abstractions;
using AsrPlatform.Host.Serving;

namespace AsrPlatform.Host.Learning.Corrections;

/// <summary>Screens the host's corrections one after the other while no stream needs the recogniser, and deletes clips that nothing names any more.</summary>
/// <remarks>Corrections that other processes store are found within <see cref="Interval"/>, too. Without a model that can score nothing is screened here: <c>asr learn</c> does it.</remarks>
internal sealed class CorrectionScreening(CorrectionStore corrections, ModelHost model, TimeProvider time, ILogger<CorrectionScreening> logger) : BackgroundService
{
    /// <summary>Time between two looks for corrections; a look is one query.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan SweepInterval = TimeSpan.FromHours(1);

    /// <summary>Screens what is to be screened, on the scorer's thread, which it blocks.</summary>
    /// <param name="corrections">The corrections.</param>
    /// <param name="scorer">The model.</param>
    /// <param name="onJudged">Told each verdict that was kept, and the share done. May be null.</param>
    /// <param name="cancellationToken">Stops between two corrections.</param>
    /// <exception cref="AsrException">A verdict cannot be kept.</exception>
    public static void Screen(CorrectionStore corrections, ICorrectionScorer scorer, Action<StoredCorrection, ScreeningVerdict, double>? onJudged, CancellationToken cancellationToken)
    {
        var waiting = corrections.ToScreen();
        for (var index = 0; index < waiting.Count; index++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (corrections.RefreshAsync(waiting[index]).GetAwaiter().GetResult() is { } correction
                && (Read(corrections, correction, out var samples) ?? CorrectionScreen.Judge(correction, samples, scorer, cancellationToken)) is var verdict
                && corrections.JudgeAsync(correction, verdict).GetAwaiter().GetResult())
            {
                onJudged?.Invoke(correction, verdict, (index + 1.0) / waiting.Count);
            }
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        var swept = DateTimeOffset.MinValue;
        try
        {
            var canScore = await CanScoreAsync(stoppingToken);
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                try
                {
                    if (time.GetUtcNow() - swept >= SweepInterval)
                    {
                        swept = time.GetUtcNow();
                        await corrections.Clips.SweepAsync();
                    }

                    if (canScore)
                    {
                        await ScreenAsync(stoppingToken);
                    }
                }
                catch (AsrException error)
                {
                    logger.LogWarning("Corrections cannot be screened now: {Reason}", error.Message);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The host stops.
        }
    }

    /// <summary>Reads a correction's clip; the verdict on one whose clip cannot be read.</summary>
    private static ScreeningVerdict? Read(CorrectionStore corrections, StoredCorrection correction, out float[] samples)
    {
        try
        {
            samples = corrections.ReadClip(correction);
            return null;
        }
        catch (AsrException error)
        {
            samples = [];
            return new ScreeningVerdict(false, error.Message);
        }
    }

    private async Task ScreenAsync(CancellationToken cancellationToken)
    {
        foreach (var waiting in corrections.ToScreen())
        {
            if (await corrections.RefreshAsync(waiting) is not { } correction)
            {
                continue;
            }

            // A correction a turn: streams that wait come between.
            var verdict = Read(corrections, correction, out var samples)
                ?? await model.RunAsync((recognizer, token) => CorrectionScreen.Judge(correction, samples, WhisperCorrectionScorer.Of(recognizer)!, token), cancellationToken);
            if (await corrections.JudgeAsync(correction, verdict) && !verdict.IsPlausible)
            {
                logger.LogInformation("Correction {Number} is held: {Reason}", correction.Number, verdict.Reason);
            }
        }
    }

    /// <summary>Whether the host's model can; one that is loaded later is not asked.</summary>
    private async Task<bool> CanScoreAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await model.RunAsync(static (recognizer, _) => WhisperCorrectionScorer.Of(recognizer) is not null, cancellationToken);
        }
        catch (AsrException)
        {
            return false;
        }
    }
}
