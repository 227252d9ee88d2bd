using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Host.Audio;

namespace AsrPlatform.Host.Tests.Audio;

public sealed class ResampledAudioSourceTests
{
    [Fact]
    public void At_SameRate_IsTheSource()
    {
        var source = new MemoryAudioSource(new float[16], 16000);

        Assert.Same(source, ResampledAudioSource.At(source, 16000));
    }

    [Fact]
    public void At_HalfTheRate_IsTheSameSound()
    {
        var source = new MemoryAudioSource(Tone(16000), 16000);

        var half = ResampledAudioSource.At(source, 8000);

        Assert.Equal((8000, 8000L), (half.SampleRateHz, half.LengthSamples));
        for (var reading = 0; reading < 2; reading++)
        {
            var samples = ReadAll(half);
            var expected = Tone(8000);
            Assert.Equal(expected.Length, samples.Length);
            for (var i = 200; i < samples.Length - 200; i++)
            {
                Assert.Equal(expected[i], samples[i], 1e-3f);
            }
        }
    }

    private static float[] Tone(int rate) => [.. Enumerable.Range(0, rate).Select(i => 0.5f * MathF.Sin(2 * MathF.PI * 440 * i / rate))];

    private static float[] ReadAll(IAudioSource source)
    {
        using var reader = source.OpenReader();
        var all = new List<float>();
        var block = new float[1000];
        for (int count; (count = reader.Read(block)) > 0;)
        {
            all.AddRange(block.AsSpan(0, count));
        }

        return [.. all];
    }
}
