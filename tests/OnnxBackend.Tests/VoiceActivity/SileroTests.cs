using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.OnnxBackend.VoiceActivity;
using AsrPlatform.Tests;

namespace AsrPlatform.OnnxBackend.Tests.VoiceActivity;

/// <summary>With Silero's own files, which <c>eng/silero.sh</c> brings.</summary>
public sealed class SileroTests
{
    public static TheoryData<string> Files => ["silero_vad.onnx", "silero_vad_v4.onnx"];

    [Theory]
    [MemberData(nameof(Files))]
    public void Next_SpeechAndNoise_AreToldApart(string file)
    {
        using var network = Load(file);
        Assert.Equal((16_000, 512), (network.SampleRateHz, network.FrameSamples));
        var speech = Hear(network, WavFixture.Read("audio/jfk.wav"));
        Assert.InRange(speech.Count(probability => probability > 0.5) / (double)speech.Length, 0.6, 0.95);
        Assert.All(speech, probability => Assert.InRange(probability, 0, 1));

        var random = new Random(1);
        var noise = Hear(network, [.. Enumerable.Range(0, 5 * 16_000).Select(_ => (float)((random.NextDouble() - 0.5) * 0.1))]);
        Assert.True(noise.Max() < 0.5, $"noise: {noise.Max()}");
        Assert.True(Hear(network, new float[5 * 16_000]).Max() < 0.2);
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Streams_OfOneNetwork_DoNotHearEachOther(string file)
    {
        using var network = Load(file);
        var samples = WavFixture.Read("audio/jfk.wav").AsSpan(0, 3 * 16_000).ToArray();
        var alone = Hear(network, samples);
        using var one = network.CreateStream();
        using var other = network.CreateStream();
        for (var at = 0; at < alone.Length; at++)
        {
            Assert.Equal(alone[at], one.Next(samples.AsSpan(at * 512, 512)));
            other.Next(samples.AsSpan(samples.Length - ((at + 1) * 512), 512));
        }
    }

    [Fact]
    public void Next_WhatIsNoSample_IsForgotten()
    {
        using var network = Load("silero_vad.onnx");
        using var stream = network.CreateStream();
        float[] wrong = [.. Enumerable.Range(0, 512).Select(index => index % 3 == 0 ? float.NaN : index % 3 == 1 ? float.PositiveInfinity : 1e30f)];
        stream.Next(wrong);
        var samples = WavFixture.Read("audio/jfk.wav");
        Assert.InRange(Enumerable.Range(0, samples.Length / 512).Count(at => stream.Next(samples.AsSpan(at * 512, 512)) > 0.5) * 512.0 / samples.Length, 0.6, 0.95);
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.Next(new float[160]));
    }

    [Fact]
    public void Next_AllocatesNothing()
    {
        using var network = Load("silero_vad.onnx");
        using var stream = network.CreateStream();
        var frame = new float[512];
        for (var i = 0; i < 10; i++)
        {
            stream.Next(frame);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            stream.Next(frame);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Load_WhatIsNoSilero_SaysWhatWasExpected()
    {
        var backend = new SileroBackend();
        Assert.True(backend.CanLoad("a.onnx"));
        Assert.False(backend.CanLoad("a.pt"));
        Assert.Contains("does not exist", Assert.Throws<AsrException>(() => backend.Load("/nowhere/a.onnx")).Message);
        var other = Assert.Throws<AsrException>(() => backend.Load(Fixtures.Path("onnx/micro/encoder_model.onnx"))).Message;
        Assert.Contains("has no input input (it has input_features)", other);
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("broken.onnx"), "not a network");
        Assert.Contains("broken.onnx", Assert.Throws<AsrException>(() => backend.Load(folder.File("broken.onnx"))).Message);
    }

    private static IVoiceActivityNetwork Load(string file)
    {
        var path = Path.Combine(Fixtures.RepositoryRoot, "artifacts", "silero", file);
        Assert.True(File.Exists(path), "run eng/silero.sh");
        return new SileroBackend().Load(path);
    }

    private static float[] Hear(IVoiceActivityNetwork network, float[] samples)
    {
        using var stream = network.CreateStream();
        return [.. Enumerable.Range(0, samples.Length / 512).Select(at => stream.Next(samples.AsSpan(at * 512, 512)))];
    }
}
