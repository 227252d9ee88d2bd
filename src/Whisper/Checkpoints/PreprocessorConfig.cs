using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Checkpoints;

/// <summary>The features that a checkpoint was trained on: Hugging Face's <c>preprocessor_config.json</c>, checked. Immutable.</summary>
public sealed record PreprocessorConfig
{
    /// <summary>The file's name in a checkpoint folder.</summary>
    public const string FileName = "preprocessor_config.json";

    /// <summary>Mel bins.</summary>
    public required int FeatureSize { get; init; }

    /// <summary>Samples of a full window: 480000, 30 s.</summary>
    public required int Samples { get; init; }

    /// <summary>Sample rate in hertz: always 16000.</summary>
    public int SampleRateHz { get; init; } = 16000;

    /// <summary>Samples of a Fourier transform: always 400.</summary>
    public int FftLength { get; init; } = 400;

    /// <summary>Samples between two frames: always 160.</summary>
    public int HopLength { get; init; } = 160;

    /// <summary>Frames of a full window: 3000.</summary>
    public int MaxFrames => Samples / HopLength;

    /// <summary>Whether audio is brought to zero mean and unit variance before anything else.</summary>
    public bool DoNormalize { get; init; }

    /// <summary>
    /// Reads <c>preprocessor_config.json</c> of a folder; without one, Whisper's own values with the mel bins and the window that
    /// <paramref name="config"/> says.
    /// </summary>
    /// <exception cref="AsrException">A key is malformed, or contradicts another or the configuration.</exception>
    public static PreprocessorConfig Load(string directory, WhisperConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        var result = new PreprocessorConfig { FeatureSize = config.NumMelBins, Samples = 0 };
        var window = checked(config.MaxFrames * result.HopLength);
        result = result with { Samples = window };
        if (ConfigFile.TryOpen(directory, FileName) is not { } file)
        {
            return result;
        }

        Expect(file, "feature_size", config.NumMelBins, "config.json's num_mel_bins");
        Expect(file, "sampling_rate", result.SampleRateHz, "Whisper's");
        Expect(file, "n_fft", result.FftLength, "Whisper's");
        Expect(file, "hop_length", result.HopLength, "Whisper's");
        Expect(file, "n_samples", window, "2 · hop_length · config.json's max_source_positions");
        Expect(file, "nb_max_frames", result.MaxFrames, "2 · config.json's max_source_positions");
        var seconds = file.Number("chunk_length", (double)window / result.SampleRateHz, 0, int.MaxValue);
        if (seconds * result.SampleRateHz != window)
        {
            throw file.Wrong(
                "chunk_length",
                FormattableString.Invariant($"{seconds}"),
                FormattableString.Invariant($"{(double)window / result.SampleRateHz} seconds, as config.json's max_source_positions says"));
        }

        if (file.Number("padding_value", 0, -1, 1) is var padding and not 0)
        {
            throw file.Wrong("padding_value", FormattableString.Invariant($"{padding}"), "0");
        }

        if (file.Number("dither", 0, 0, 1) is var dither and not 0)
        {
            throw file.Wrong("dither", FormattableString.Invariant($"{dither}"), "0: random noise is not supported");
        }

        return result with { DoNormalize = file.Bool("do_normalize", false) };
    }

    private static void Expect(ConfigFile file, string key, int expected, string why)
    {
        if (file.OptionalInt(key, 0) is { } found && found != expected)
        {
            throw file.Wrong(key, $"{found}", $"{expected} ({why})");
        }
    }
}
