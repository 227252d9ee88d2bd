using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>What to make of a list of texts.</summary>
internal sealed record SynthesisOptions
{
    /// <summary>One utterance each.</summary>
    public required IReadOnlyList<string> Texts { get; init; }

    /// <summary>Voices to draw from.</summary>
    public required IReadOnlyList<SpeechVoice> Voices { get; init; }

    /// <summary>Clips of each text.</summary>
    public int CountPerText { get; init; } = 1;

    /// <summary>Utterances of a clip, said by one voice one after the other; null: one.</summary>
    public Spread? Join { get; init; }

    /// <summary>Silence between them, in seconds.</summary>
    public Spread? Gaps { get; init; }

    /// <summary>A clip of several utterances ends with the last one that fits in so many seconds; the rest of them is left out.</summary>
    public double JoinSeconds { get; init; } = DefaultJoinSeconds;

    /// <summary>Whisper's window.</summary>
    public const double DefaultJoinSeconds = 30;

    /// <summary>Speeds; 1 is a voice's own.</summary>
    public required Spread Rates { get; init; }

    /// <summary>Pitches; 1 is a voice's own.</summary>
    public required Spread Pitches { get; init; }

    /// <summary>Signal-to-noise ratios in dB; null for no noise.</summary>
    public Spread? SignalToNoise { get; init; }

    /// <summary>Kinds of noise to draw from.</summary>
    public IReadOnlyList<NoiseKind> Noises { get; init; } = [NoiseKind.White, NoiseKind.Pink, NoiseKind.Babble];

    /// <summary>Reverberation times in seconds; null for none.</summary>
    public Spread? Reverberation { get; init; }

    /// <summary>Share of clips without noise and reverberation, 0…1.</summary>
    public double CleanShare { get; init; }

    /// <summary>Share of clips in a telephone's band, 0…1.</summary>
    public double TelephoneShare { get; init; }

    /// <summary>Peaks in dB below full scale.</summary>
    public required Spread Levels { get; init; }

    /// <summary>Silence before and after the speech, in seconds.</summary>
    public required Spread Padding { get; init; }

    /// <summary>Clips without speech, for each clip with it.</summary>
    public double SilenceShare { get; init; }

    /// <summary>The same seed makes the same files.</summary>
    public int Seed { get; init; }

    /// <summary>Finds out when each word is said.</summary>
    public bool WordTimes { get; init; }
}

/// <summary>An utterance that follows another one in its clip.</summary>
/// <param name="Gap">Silence before it, in seconds.</param>
/// <param name="Text">Its text.</param>
internal readonly record struct JoinedText(double Gap, string Text);

/// <summary>A clip to make.</summary>
/// <param name="Index">Its number, from 0.</param>
/// <param name="Text">The text of its first utterance; empty for silence.</param>
/// <param name="Voice">Its voice; null for silence.</param>
/// <param name="Rate">Speed.</param>
/// <param name="Pitch">Pitch.</param>
/// <param name="SignalToNoise">dB; null for no noise. For silence: how far the noise is below full scale.</param>
/// <param name="Noise">Kind of noise.</param>
/// <param name="Reverberation">RT60 in seconds; null for none.</param>
/// <param name="Telephone">A telephone's band.</param>
/// <param name="Level">Peak in dB.</param>
/// <param name="Before">Silence before the speech, in seconds; the whole length of a silent clip.</param>
/// <param name="After">Silence after it.</param>
/// <param name="Seed">Of its noise and room.</param>
/// <param name="WordTimes">Whether its words have times.</param>
internal sealed record PlannedClip(
    int Index, string Text, SpeechVoice? Voice, double Rate, double Pitch, double? SignalToNoise, NoiseKind Noise, double? Reverberation, bool Telephone,
    double Level, double Before, double After, int Seed, bool WordTimes)
{
    /// <summary>To be raised when the same plan makes other samples.</summary>
    private const int Version = 2;

    /// <summary>Further utterances of the same voice.</summary>
    public IReadOnlyList<JoinedText> Joined { get; init; } = [];

    /// <summary>Those of them that do not begin and end within so many seconds are left out.</summary>
    public double JoinSeconds { get; init; }

    /// <summary>Its file: the number, and a hash of everything that makes it, so that another plan's clip is not taken for it.</summary>
    public string FileName => string.Create(
        CultureInfo.InvariantCulture,
        $"{Index:000000}-{Hash($"{Version}|{Text}|{Voice?.FullName}|{Voice?.Id}|{Rate:R}|{Pitch:R}|{SignalToNoise:R}|{Noise}|{Reverberation:R}|{Telephone}|{Level:R}|{Before:R}|{After:R}|{Seed}|{WordTimes}{JoinedKey()}"):x8}.wav");

    private string JoinedKey() =>
        Joined.Count == 0 ? "" : string.Concat(Joined.Select(one => FormattableString.Invariant($"|{one.Gap:R}|{one.Text}"))) + FormattableString.Invariant($"|{JoinSeconds:R}");

    /// <summary>32 bits of SHA-256.</summary>
    internal static uint Hash(FormattableString text) =>
        BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(FormattableString.Invariant(text))));
}

/// <summary>Draws the clips of a run.</summary>
internal static class SynthesisPlan
{
    private const double MinSilenceSeconds = 0.5;
    private const double MaxSilenceSeconds = 6;

    /// <summary>The clips, which depend on the options alone: not on when and on how many threads they are made.</summary>
    public static IReadOnlyList<PlannedClip> Make(SynthesisOptions options)
    {
        var random = new Random(options.Seed);

        // A synthesiser with a thousand variants of a few voices must not drown those with few: shares grow with the logarithm.
        var groups = options.Voices.GroupBy(voice => voice.Synthesizer, StringComparer.Ordinal).Select(group => (Voices: group.ToArray(), Weight: 1 + Math.Log2(group.Count()))).ToArray();
        var total = groups.Sum(group => group.Weight);
        var clips = new List<PlannedClip>();
        var next = 0;
        while (next < options.Texts.Count)
        {
            var text = options.Texts[next++];
            var further = options.Join is { } join ? Math.Min((int)Math.Round(join.Draw(random)) - 1, options.Texts.Count - next) : 0;
            var joined = options.Texts.Skip(next).Take(further).ToArray();
            next += further;
            for (var copy = 0; copy < options.CountPerText; copy++)
            {
                var clean = random.NextDouble() < options.CleanShare;
                clips.Add(new PlannedClip(
                    clips.Count,
                    text,
                    DrawVoice(),
                    options.Rates.Draw(random),
                    options.Pitches.Draw(random),
                    clean ? null : options.SignalToNoise?.Draw(random),
                    options.Noises[random.Next(options.Noises.Count)],
                    clean ? null : options.Reverberation?.Draw(random),
                    random.NextDouble() < options.TelephoneShare,
                    options.Levels.Draw(random),
                    options.Padding.Draw(random),
                    options.Padding.Draw(random),
                    random.Next(),
                    options.WordTimes)
                {
                    Joined = [.. joined.Select(one => new JoinedText(options.Gaps?.Draw(random) ?? 0, one))],
                    JoinSeconds = options.JoinSeconds,
                });
            }
        }

        NoiseKind[] wordless = [.. options.Noises.Where(kind => kind != NoiseKind.Babble).DefaultIfEmpty(NoiseKind.White)];
        for (var count = (int)Math.Round(clips.Count * options.SilenceShare); count > 0; count--)
        {
            var seconds = Math.Round(MinSilenceSeconds + (random.NextDouble() * (MaxSilenceSeconds - MinSilenceSeconds)), 2);
            clips.Add(new PlannedClip(
                clips.Count, "", null, 1, 1, 25 + (random.NextDouble() * 50), wordless[random.Next(wordless.Length)], null, random.NextDouble() < options.TelephoneShare, 0, seconds, 0, random.Next(), false));
        }

        return clips;

        SpeechVoice DrawVoice()
        {
            var at = random.NextDouble() * total;
            foreach (var (voices, weight) in groups)
            {
                at -= weight;
                if (at < 0)
                {
                    return voices[random.Next(voices.Length)];
                }
            }

            return groups[^1].Voices[0];
        }
    }
}
