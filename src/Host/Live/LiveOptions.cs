using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Live;

/// <summary>How live sessions behave. Bound from the section <c>Live</c>; read once at start.</summary>
internal sealed class LiveOptions : IValidateOptions<LiveOptions>
{
    public const string Section = "Live";

    /// <summary>Audio since the first sound of an utterance after which it is decoded for the first time. Default 0.5 s, 0 … 30 s.</summary>
    public TimeSpan FirstUpdate { get; set; } = TimeSpan.FromSeconds(0.5);

    /// <summary>New audio after which an utterance is decoded again. Default 1 s, 0.1 s … 30 s.</summary>
    public TimeSpan UpdateInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Silence that ends an utterance and commits it. Default 1.2 s, as sherpa-onnx ends one after text: speakers pause for a second in
    /// the middle of a sentence, and a sentence cut there is decoded without its context. 0.1 s … 10 s.
    /// </summary>
    public TimeSpan PauseDuration { get; set; } = TimeSpan.FromSeconds(1.2);

    /// <summary>Audio kept before the first speech of an utterance. Default 0.5 s, 0 … 5 s.</summary>
    public TimeSpan PreRoll { get; set; } = TimeSpan.FromSeconds(0.5);

    /// <summary>Speech that makes an utterance; less is a click. Default 0.1 s, 0 … 2 s.</summary>
    public TimeSpan MinimumSpeech { get; set; } = TimeSpan.FromSeconds(0.1);

    /// <summary>Longest utterance: speech without a pause is committed in parts of this length. Default 30 s (Whisper's window), 5 s … 30 s.</summary>
    public TimeSpan MaximumWindow { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Audio accepted beyond <see cref="MaximumWindow"/> while the recogniser lags; then senders wait. Default 10 s, 2 s … 10 min (a chunk must fit: up to 1 s at 8 kHz).</summary>
    public TimeSpan MaximumAhead { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Sessions at a time. Default 64, 1 … 10,000.</summary>
    public int MaximumSessions { get; set; } = 64;

    /// <summary>Viewers of one session at a time. Default 1,000, 1 … 100,000.</summary>
    public int MaximumViewers { get; set; } = 1000;

    /// <summary>Corrections of one session. Default 10,000, 1 … 1,000,000.</summary>
    public int MaximumCorrections { get; set; } = 10_000;

    /// <summary>Updates that a viewer may lag behind before superseded tentative ones are dropped. Default 64, 1 … 10,000.</summary>
    public int ViewerQueue { get; set; } = 64;

    /// <summary>A session without audio for this long is ended as by EndSession. Default 5 min, 1 s … 1 day.</summary>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Time for open sessions to be finished at shutdown. Default 20 s, 0 … 10 min.</summary>
    public TimeSpan ShutdownTimeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>Pages of other origins that may connect, such as <c>https://captions.example.org</c>; the host's own page always may.</summary>
    public IList<string> AllowedOrigins { get; } = [];

    public ValidateOptionsResult Validate(string? name, LiveOptions options)
    {
        List<string> errors = [];
        Check(nameof(FirstUpdate), options.FirstUpdate, 0, 30);
        Check(nameof(UpdateInterval), options.UpdateInterval, 0.1, 30);
        Check(nameof(PauseDuration), options.PauseDuration, 0.1, 10);
        Check(nameof(PreRoll), options.PreRoll, 0, 5);
        Check(nameof(MinimumSpeech), options.MinimumSpeech, 0, 2);
        Check(nameof(MaximumWindow), options.MaximumWindow, 5, 30);
        Check(nameof(MaximumAhead), options.MaximumAhead, 2, 600);
        Check(nameof(IdleTimeout), options.IdleTimeout, 1, 86_400);
        Check(nameof(ShutdownTimeout), options.ShutdownTimeout, 0, 600);
        CheckCount(nameof(MaximumSessions), options.MaximumSessions, 1, 10_000);
        CheckCount(nameof(MaximumViewers), options.MaximumViewers, 1, 100_000);
        CheckCount(nameof(MaximumCorrections), options.MaximumCorrections, 1, 1_000_000);
        CheckCount(nameof(ViewerQueue), options.ViewerQueue, 1, 10_000);
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);

        void Check(string option, TimeSpan value, double minimum, double maximum)
        {
            if (value < TimeSpan.FromSeconds(minimum) || value > TimeSpan.FromSeconds(maximum))
            {
                errors.Add(FormattableString.Invariant($"{Section}:{option} is {value}; it must be {minimum} s … {maximum} s."));
            }
        }

        void CheckCount(string option, int value, int minimum, int maximum)
        {
            if (value < minimum || value > maximum)
            {
                errors.Add(FormattableString.Invariant($"{Section}:{option} is {value}; it must be {minimum} … {maximum}."));
            }
        }
    }
}
