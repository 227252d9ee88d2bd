using AsrPlatform.Host.Serving;
using AsrPlatform.Whisper.Streaming;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Live;

/// <summary>How live sessions behave. Bound from the section <c>Live</c>; read once at start.</summary>
internal sealed class LiveOptions : IValidateOptions<LiveOptions>
{
    public const string Section = "Live";

    /// <summary>The longest <see cref="ShutdownTimeout"/>.</summary>
    public static readonly TimeSpan LongestShutdown = TimeSpan.FromMinutes(10);

    /// <summary>
    /// Which words are final, and when: <c>auto</c> (default), <c>alignatt</c>, <c>localagreement</c> or <c>utterance</c>; see
    /// <see cref="StreamingSettings.Policy"/>.
    /// </summary>
    public string Policy { get; set; } = "auto";

    /// <summary>With AlignAtt: audio at the end of what was heard that final words must not rest on. Default 0.8 s, 0.02 s … 5 s.</summary>
    public TimeSpan HoldBack { get; set; } = TimeSpan.FromSeconds(AlignAttPolicy.DefaultHoldBackSeconds);

    /// <summary>
    /// With AlignAtt: words whose calibrated confidence is so high are final with <see cref="EarlyCommitHoldBack"/> behind them already.
    /// Default: none; 0.5 … 1.
    /// </summary>
    public double? EarlyCommitConfidence { get; set; }

    /// <summary>Default 0.4 s, 0.02 s … 5 s; more than <see cref="HoldBack"/> changes nothing.</summary>
    public TimeSpan EarlyCommitHoldBack { get; set; } = TimeSpan.FromSeconds(0.4);

    /// <summary>
    /// What the encoder hears: <c>auto</c> (default: as the checkpoint's <c>generation_config.json</c> says), <c>full</c> (padded to the
    /// model's window, as OpenAI's checkpoints want it) or <c>dynamic</c> (as long as the audio).
    /// </summary>
    public string EncoderContext { get; set; } = "auto";

    /// <summary>Whether the model is given the text before its window; by default as the checkpoint's <c>generation_config.json</c> says.</summary>
    public bool? ConditionOnPreviousText { get; set; }

    /// <summary>Windows of different sessions that are decoded together at most. Default 16, 1 … 256.</summary>
    public int MaximumBatch { get; set; } = 16;

    /// <summary>Audio since the first sound of an utterance after which it is decoded for the first time. Default 0.4 s, 0 … 30 s.</summary>
    public TimeSpan FirstUpdate { get; set; } = TimeSpan.FromSeconds(0.4);

    /// <summary>New audio after which tentative words are brought up to date. Default 0.3 s, 0.1 s … 30 s.</summary>
    public TimeSpan UpdateInterval { get; set; } = TimeSpan.FromSeconds(0.3);

    /// <summary>
    /// Audio after which words of an utterance that goes on are made final, where the policy can. Counted from its first sound, so that
    /// the text depends on the audio and not on when it came. Default 0.6 s, 0.1 s … 30 s.
    /// </summary>
    public TimeSpan CommitInterval { get; set; } = TimeSpan.FromSeconds(0.6);

    /// <summary>
    /// Final words this late are not waited for step by step any more: one step then takes all the audio that is there. Default 4 s,
    /// 0.5 s … 60 s.
    /// </summary>
    public TimeSpan MaximumLag { get; set; } = TimeSpan.FromSeconds(4);

    /// <summary>
    /// Silence that ends an utterance and commits it. Default 0.7 s: OpenAI's Realtime API and whisper_streaming end one after 0.5 s, and
    /// with longer pauses sentences that have nothing to do with each other are heard together, by which the demo model makes 3 points more
    /// errors at 1.2 s (docs/benchmarks.md). 0.1 s … 10 s.
    /// </summary>
    public TimeSpan PauseDuration { get; set; } = TimeSpan.FromSeconds(0.7);

    /// <summary>A Silero VAD file (<c>silero_vad.onnx</c>, version 4 to 6), which the ONNX backend runs, in place of the embedded voice detector. Default: none.</summary>
    public string? VoiceActivityModel { get; set; }

    /// <summary>Audio kept before the first speech of an utterance. Default 0.5 s, 0 … 5 s.</summary>
    public TimeSpan PreRoll { get; set; } = TimeSpan.FromSeconds(0.5);

    /// <summary>Speech that makes an utterance; less is a click. Default 0.1 s, 0 … 2 s.</summary>
    public TimeSpan MinimumSpeech { get; set; } = TimeSpan.FromSeconds(0.1);

    /// <summary>Longest window that is decoded, where the model's own is not shorter: speech without a pause is cut in parts. Default 30 s (Whisper's window), 5 s … 30 s.</summary>
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

    /// <summary>What the recogniser needs to know of these.</summary>
    public StreamingSettings Streaming() => new()
    {
        Policy = Policy,
        HoldBack = HoldBack,
        EarlyCommitConfidence = EarlyCommitConfidence,
        EarlyCommitHoldBack = EarlyCommitHoldBack,
        MaximumBatch = MaximumBatch,
        Decoding = new StreamingOptions
        {
            ShortContext = EncoderContext switch { "dynamic" => true, "full" => false, _ => null },
            ConditionOnPreviousText = ConditionOnPreviousText,
        },
    };

    public ValidateOptionsResult Validate(string? name, LiveOptions options)
    {
        List<string> errors = [];
        Check(nameof(FirstUpdate), options.FirstUpdate, 0, 30);
        Check(nameof(UpdateInterval), options.UpdateInterval, 0.1, 30);
        Check(nameof(CommitInterval), options.CommitInterval, 0.1, 30);
        Check(nameof(HoldBack), options.HoldBack, 0.02, 5);
        Check(nameof(EarlyCommitHoldBack), options.EarlyCommitHoldBack, 0.02, 5);
        if (!(options.EarlyCommitConfidence is null or (>= 0.5 and <= 1)))
        {
            errors.Add(FormattableString.Invariant($"{Section}:{nameof(EarlyCommitConfidence)} is {options.EarlyCommitConfidence}; it must be 0.5 … 1."));
        }

        Check(nameof(MaximumLag), options.MaximumLag, 0.5, 60);
        Check(nameof(PauseDuration), options.PauseDuration, 0.1, 10);
        Check(nameof(PreRoll), options.PreRoll, 0, 5);
        Check(nameof(MinimumSpeech), options.MinimumSpeech, 0, 2);
        Check(nameof(MaximumWindow), options.MaximumWindow, 5, 30);
        Check(nameof(MaximumAhead), options.MaximumAhead, 2, 600);
        Check(nameof(IdleTimeout), options.IdleTimeout, 1, 86_400);
        Check(nameof(ShutdownTimeout), options.ShutdownTimeout, 0, LongestShutdown.TotalSeconds);
        CheckName(nameof(Policy), options.Policy, StreamingSettings.Policies);
        CheckName(nameof(EncoderContext), options.EncoderContext, ["auto", "full", "dynamic"]);
        CheckCount(nameof(MaximumBatch), options.MaximumBatch, 1, 256);
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

        void CheckName(string option, string value, string[] names)
        {
            if (!names.Contains(value, StringComparer.Ordinal))
            {
                errors.Add($"{Section}:{option} is '{value}'; it must be one of {string.Join(", ", names)}.");
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
