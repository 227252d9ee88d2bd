using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using NAudio.Wave;

namespace AsrPlatform.NAudioCapture.Tests;

public sealed class WaveInStreamTests
{
    private static readonly WaveFormat Stereo = new(48_000, 16, 2);

    [Fact]
    public void Read_WhatTheDriverBrings_IsMonoAndInOrder()
    {
        using var input = new FakeWaveIn(Stereo);
        using var stream = new WaveInStream(input, "mic");
        Assert.True(input.IsRecording);
        Assert.Equal(48_000, stream.SampleRateHz);

        // Left and right of three frames, the last byte belongs to none.
        input.Bring(0, 64, 0, 0, 0, 128, 0, 128);
        input.Bring(0, 64, 0, 192, 7);
        Assert.Equal([0.25f, -1f, 0f], Take(stream, 3));
    }

    [Fact]
    public async Task Read_BeforeAnythingIsHeard_WaitsForIt()
    {
        using var input = new FakeWaveIn(new WaveFormat(16_000, 16, 1));
        using var stream = new WaveInStream(input, "mic");
        var reading = Task.Run(() => Take(stream, 2), TestContext.Current.CancellationToken);
        input.Bring(0, 64);
        Assert.False(reading.IsCompleted);
        input.Bring(0, 32);
        var heard = await reading;
        Assert.Equal([0.5f, 0.25f], heard);
    }

    [Fact]
    public void Stop_LeavesWhatWasHeard_ThenEnds()
    {
        using var input = new FakeWaveIn(new WaveFormat(16_000, 16, 1));
        using var stream = new WaveInStream(input, "mic");
        input.Bring(0, 64);
        stream.Stop();
        input.Bring(0, 32);
        Assert.False(input.IsRecording);
        Assert.Equal([0.5f], Take(stream, 1));
        Assert.Equal(0, stream.Read(new float[4]));
        Assert.Equal(0, stream.Read(new float[4]));
    }

    [Fact]
    public void Read_WhenTheDeviceIsUnplugged_SaysSo()
    {
        using var input = new FakeWaveIn(new WaveFormat(16_000, 16, 1));
        using var stream = new WaveInStream(input, "Headset");
        input.Bring(0, 64);
        input.Fail(new InvalidOperationException("device\nremoved"));
        Assert.Equal([0.5f], Take(stream, 1));
        Assert.Equal("the microphone 'Headset' stopped: device removed", Assert.Throws<AsrException>(() => stream.Read(new float[1])).Message);
    }

    [Fact]
    public void Read_ByNobodyForAMinute_SaysSoInsteadOfLeavingAHole()
    {
        using var input = new FakeWaveIn(new WaveFormat(8_000, 16, 1));
        using var stream = new WaveInStream(input, "mic");
        for (var second = 0; second < 61; second++)
        {
            input.Bring(new byte[16_000]);
        }

        Assert.Equal(60 * 8_000, Take(stream, 60 * 8_000).Length);
        Assert.Contains("was not taken for 60 s", Assert.Throws<AsrException>(() => stream.Read(new float[1])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Start_ThatFails_OrOfAnUnknownFormat_FreesTheDevice()
    {
        var broken = new FakeWaveIn(Stereo) { StartFails = new InvalidOperationException("in use") };
        Assert.Throws<InvalidOperationException>(() => new WaveInStream(broken, "mic"));
        Assert.True(broken.IsDisposed);

        var odd = new FakeWaveIn(WaveFormat.CreateCustomFormat(WaveFormatEncoding.Adpcm, 8_000, 1, 4_000, 1, 4));
        var error = Assert.Throws<AsrException>(() => new WaveInStream(odd, "mic"));
        Assert.StartsWith("the microphone 'mic' gives Adpcm of 4 bits", error.Message, StringComparison.Ordinal);
        Assert.True(odd.IsDisposed);
    }

    [Fact]
    public void Dispose_LetsGoOfTheDriver()
    {
        var input = new FakeWaveIn(Stereo);
        var stream = new WaveInStream(input, "mic");
        stream.Dispose();
        Assert.True(input.IsDisposed);
        Assert.False(input.HasListeners);
        Assert.Equal(0, stream.Read(new float[1]));
    }

    [Fact]
    public void MonoSamples_OfEveryForm_AreTheSame()
    {
        Assert.Equal([0.5f, -0.25f], Read([0, 64, 0, 224], isFloat: false, bits: 16));
        Assert.Equal([0.5f, -0.25f], Read([0, 0, 64, 0, 0, 224], isFloat: false, bits: 24));
        Assert.Equal([0.5f, -0.25f], Read([0, 0, 0, 64, 0, 0, 0, 224], isFloat: false, bits: 32));
        Assert.Equal([0.5f, -0.25f], Read([.. BitConverter.GetBytes(0.5f), .. BitConverter.GetBytes(-0.25f)], isFloat: true, bits: 32));
        Assert.Equal([0f, 1f], Read([.. BitConverter.GetBytes(float.NaN), .. BitConverter.GetBytes(7f)], isFloat: true, bits: 32));
    }

    private static float[] Read(byte[] bytes, bool isFloat, int bits)
    {
        Assert.True(MonoSamples.CanRead(isFloat, bits));
        var samples = new float[2];
        Assert.Equal(2, MonoSamples.Read(bytes, isFloat, bits, channels: 1, samples));
        return samples;
    }

    private static float[] Take(ICaptureStream stream, int count)
    {
        var samples = new float[count];
        for (var at = 0; at < count;)
        {
            var read = stream.Read(samples.AsSpan(at));
            Assert.InRange(read, 1, count - at);
            at += read;
        }

        return samples;
    }
}
