using AsrPlatform.Abstractions.Decoding;

namespace AsrPlatform.Whisper.Streaming;

/// <summary>One decoding of a window of a stream.</summary>
public sealed record StreamPass
{
    /// <summary>The window's audio at the model's rate, −1…1; at most <see cref="StreamingDecoder.MaximumSeconds"/>. Read during the pass alone.</summary>
    public required ReadOnlyMemory<float> Samples { get; init; }

    /// <summary>Text tokens that the transcript of the window begins with: words that are committed. Empty for none.</summary>
    public IReadOnlyList<int> Forced { get; init; } = [];

    /// <summary>Text tokens of what was said before the window. Not used with a model that never learnt to be given any.</summary>
    public IReadOnlyList<int> Previous { get; init; } = [];

    /// <summary>Text that the speaker's own is told to follow, such as names that will be said; null for none. Used with any model: somebody asked for it.</summary>
    public string? Prompt { get; init; }

    /// <summary>Words and names that may be said; null for none. The same object in pass after pass is prepared once.</summary>
    public PhraseBias? Bias { get; init; }

    /// <summary>Language code, or null to detect it.</summary>
    public string? Language { get; init; }

    /// <summary>Transcribe or translate.</summary>
    public TranscriptionTask Task { get; init; }

    /// <summary>Its text will stand: worth more effort than one that is shown for a moment.</summary>
    public bool IsFinal { get; init; }

    /// <summary>As <see cref="TranscriptionOptions.Adapter"/>; passes with different ones may share a batch.</summary>
    public string? Adapter { get; init; }
}

/// <summary>Why the decoding of a window ended.</summary>
public enum StreamEnd
{
    /// <summary>The model said that the text ends.</summary>
    EndOfText,

    /// <summary>The model heard no speech.</summary>
    NoSpeech,

    /// <summary>The model began to repeat itself; one repetition was kept.</summary>
    Repetition,

    /// <summary>More tokens than anybody can say in the time, or than the decoder holds.</summary>
    TooLong,
}

/// <summary>What a pass heard.</summary>
public sealed record StreamHypothesis
{
    /// <summary>The words after the forced ones; times in seconds from the window's start.</summary>
    public required IReadOnlyList<StreamWord> Words { get; init; }

    /// <summary>Length of the window's audio.</summary>
    public required double Seconds { get; init; }

    /// <summary>Language code, given or detected; null when the model knows just one.</summary>
    public string? Language { get; init; }

    /// <summary>Why it ended.</summary>
    public StreamEnd End { get; init; }

    /// <summary>Probability that the window holds no speech, 0…1.</summary>
    public double NoSpeechProbability { get; init; }

    /// <summary>Mean log probability of the new tokens, the end included.</summary>
    public double AverageLogProbability { get; init; }

    /// <summary>The adapter that it was made with; <c>base</c> without one.</summary>
    public string AdapterVersion { get; init; } = "base";
}

/// <summary>A word of a stream.</summary>
/// <param name="Text">With its leading space where the language writes one.</param>
/// <param name="Start">Start in seconds.</param>
/// <param name="End">End in seconds.</param>
/// <param name="Confidence">Mean probability of its tokens, 0…1.</param>
public sealed record StreamWord(string Text, double Start, double End, double Confidence)
{
    /// <summary>Its tokens; empty where the recogniser has none.</summary>
    public IReadOnlyList<int> Tokens { get; init; } = [];

    /// <summary>The latest moment in seconds that the decoder attended to most while it wrote the word.</summary>
    public double AttendedTo { get; init; } = End;

    /// <summary>It belongs to what the model began to repeat.</summary>
    public bool Repeats { get; init; }

    /// <summary>It may be the beginning of a preferred phrase (<see cref="StreamPass.Bias"/>): more audio is to tell.</summary>
    public bool MayGrow { get; init; }

    /// <summary>Whether its times were heard; false where the decoder's attention is not known and words share the audio evenly.</summary>
    public bool IsTimed { get; init; } = true;

    /// <summary>It stands for a whole segment of a recogniser that gives no words.</summary>
    public bool IsPhrase { get; init; }
}
