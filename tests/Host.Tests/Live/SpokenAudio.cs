namespace AsrPlatform.Host.Tests.Live;

/// <summary>Audio whose words a <see cref="ToneRecognizer"/> can read: word k is 200 ms of a square wave of height (k + 8) / 64.</summary>
internal sealed class SpokenAudio
{
    public const int SampleRateHz = 16000;
    public const int Words = 56;

    private readonly List<short> _samples = [];

    /// <summary>16-bit samples.</summary>
    public short[] Samples => [.. _samples];

    public int Length => _samples.Count;

    /// <summary>How a word is written.</summary>
    public static string Name(int word) => $"w{word}";

    public SpokenAudio Silence(double seconds)
    {
        _samples.AddRange(new short[(int)(seconds * SampleRateHz)]);
        return this;
    }

    /// <summary>Words of 200 ms, 100 ms apart.</summary>
    public SpokenAudio Say(params int[] words)
    {
        foreach (var word in words)
        {
            var height = (short)((word + 8) * 512 - 1);
            for (var i = 0; i < SampleRateHz / 5; i++)
            {
                _samples.Add(i % 16 < 8 ? height : (short)-height);
            }

            Silence(0.1);
        }

        return this;
    }

    /// <summary>The text that a recogniser should give.</summary>
    public static string Text(IEnumerable<int> words) => string.Join(' ', words.Select(Name));
}
