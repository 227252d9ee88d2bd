using System.Diagnostics;
using System.Text;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Host.Audio;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Audio;

public sealed class AudioFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("audio/jfk.wav")]
    [InlineData("audio/ja.wav")]
    [InlineData("features/signals/chirp.wav")]
    [InlineData("features/signals/one_sample.wav")]
    public void Open_Fixture_GivesItsSamplesExactly(string fixture)
    {
        using var audio = AudioFile.Open(Fixtures.Path(fixture));
        var expected = WavFixture.Read(fixture);
        Assert.Equal(expected, ReadAll(audio));
        Assert.Equal(expected, ReadAll(audio));
        Assert.Equal(expected.Length, audio.LengthSamples);
        Assert.Equal(16000, audio.SampleRateHz);
        Assert.Null(audio.Warning);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Open_EverySampleFormat_IsScaledByItsWidth(bool extensible)
    {
        Assert.Equal([-1f, 0, 127 / 128f], Decode(1, 8, [0, 128, 255], extensible));
        Assert.Equal([-1f, 0.5f, 32767 / 32768f], Decode(1, 16, WavBytes.OfInt16(-32768, 16384, 32767), extensible));
        Assert.Equal([-1f, 0.5f, 8388607 / 8388608f], Decode(1, 24, [0, 0, 0x80, 0, 0, 0x40, 0xFF, 0xFF, 0x7F], extensible));
        Assert.Equal([-1f, 0.5f], Decode(1, 32, [0, 0, 0, 0x80, 0, 0, 0, 0x40], extensible));
        Assert.Equal([0.1f, -2.5f], Decode(3, 32, WavBytes.OfSingle(0.1f, -2.5f), extensible));
        Assert.Equal([0.1f, -2.5f], Decode(3, 64, [.. BitConverter.GetBytes(0.1), .. BitConverter.GetBytes(-2.5)], extensible));

        // From ITU-T G.711: the largest, the smallest steps and their signs, at 16 bits.
        Assert.Equal([32256 / 32768f, -32256 / 32768f, 8 / 32768f, -8 / 32768f], Decode(6, 8, [0xAA, 0x2A, 0xD5, 0x55], extensible));
        Assert.Equal([32124 / 32768f, -32124 / 32768f, 0, 0, 8 / 32768f], Decode(7, 8, [0x80, 0x00, 0xFF, 0x7F, 0xFE], extensible));
    }

    [Fact]
    public void Open_TwelveBitsInSixteen_AreLeftAligned() =>
        Assert.Equal([0.5f], ReadAll(new WavBytes { Bits = 12, FrameBytes = 2, Data = WavBytes.OfInt16(16384) }));

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(6)]
    [InlineData(300)]
    public void Open_ManyChannels_GivesTheirMean(int channels)
    {
        var random = new Random(channels);
        var samples = Enumerable.Range(0, 5000 * channels).Select(_ => (short)random.Next(-32768, 32768)).ToArray();
        var found = ReadAll(new WavBytes { Channels = channels, Data = WavBytes.OfInt16(samples), Extensible = channels > 2 });
        Assert.Equal(5000, found.Length);
        for (var i = 0; i < found.Length; i++)
        {
            Assert.Equal(samples.Skip(i * channels).Take(channels).Average(sample => sample / 32768.0), found[i], 1e-6);
        }
    }

    [Fact]
    public void Open_ChunksOfOddSizeAround_FindsTheSamples()
    {
        var wav = new WavBytes
        {
            Before = [("LIST", new byte[7]), ("junk", new byte[1]), ("bext", new byte[600])],
            Data = WavBytes.OfInt16(1, 2, 3),
            After = [("LIST", new byte[10]), ("id3 ", new byte[5])],
        };
        Assert.Equal([1 / 32768f, 2 / 32768f, 3 / 32768f], ReadAll(wav));
    }

    [Fact]
    public void Open_LargeFileHeader_IsRead()
    {
        var wav = new WavBytes { LargeFile = true, Data = WavBytes.OfInt16(1, 2, 3), After = [("LIST", new byte[10])] };
        Assert.Equal([1 / 32768f, 2 / 32768f, 3 / 32768f], ReadAll(wav));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(0xFFFFFFFFu)]
    [InlineData(0x7FFFF000u)]
    public void Open_SizeOfAStreamingWriter_ReadsToTheEndWithoutWarning(uint size)
    {
        using var audio = Open(new WavBytes { ClaimedSize = size, Data = WavBytes.OfInt16(100, 200, -300, 400, 500) });
        Assert.Null(audio.Warning);
        Assert.Equal(5, audio.LengthSamples);
        Assert.Equal(5, ReadAll(audio).Length);
    }

    [Fact]
    public void Open_CutOffInItsData_ReadsAsFarAsItGoesAndWarns()
    {
        var whole = new WavBytes { Channels = 2, Data = WavBytes.OfInt16([.. Enumerable.Range(0, 32000).Select(i => (short)i)]) }.Build();
        using var audio = AudioFile.Open(Write(whole[..^32001]));
        Assert.Equal(7999, ReadAll(audio).Length);
        Assert.Equal(7999, audio.LengthSamples);
        Assert.Contains("cut off: it promises 1 s of audio, 0.5 s are there", audio.Warning, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_PartOfAFrameAtTheEnd_IsLeftOut()
    {
        Assert.Equal([1 / 32768f], ReadAll(new WavBytes { Data = [1, 0, 7] }));
        Assert.Equal([1 / 32768f], ReadAll(new WavBytes { Data = [1, 0, 7], ClaimedSize = uint.MaxValue }));
    }

    [Theory]
    [InlineData(float.NaN, "NaN")]
    [InlineData(float.PositiveInfinity, "Infinity")]
    [InlineData(float.NegativeInfinity, "-Infinity")]
    [InlineData(3e30f, "3E+30")]
    public void Read_SampleThatIsNoNumber_NamesItsPosition(float value, string text)
    {
        foreach (var channels in new[] { 1, 2 })
        {
            var samples = new float[40000 * channels];
            samples[24000 * channels] = value * channels;
            using var audio = Open(new WavBytes { Tag = 3, Bits = 32, Channels = channels, SampleRateHz = 8000, Data = WavBytes.OfSingle(samples) });
            var error = Assert.Throws<AsrException>(() => ReadAll(audio));
            Assert.Contains($"sample 24000 (at 3 s) is {text}", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Open_BrokenWav_GivesOneClearError()
    {
        var data = WavBytes.OfInt16(1, 2, 3);
        AssertRefused(new WavBytes { Channels = 0, FrameBytes = 2, Data = data }.Build(), "has 0 channels");
        AssertRefused(new WavBytes { SampleRateHz = 0, Data = data }.Build(), "sample rate of 0 Hz");
        AssertRefused(new WavBytes { SampleRateHz = -5, Data = data }.Build(), "sample rate of 4294967291 Hz");
        AssertRefused(new WavBytes { Channels = 2, FrameBytes = 5, Data = data }.Build(), "do not make frames of 5 bytes");
        AssertRefused(new WavBytes { Bits = 24, FrameBytes = 2, Data = data }.Build(), "do not make frames of 2 bytes");
        AssertRefused(new WavBytes().Build(), "has no samples");
        AssertRefused(new WavBytes { Data = [1] }.Build(), "has no samples");
        AssertRefused(new WavBytes { After = [("LIST", new byte[26])] }.Build(), "has no samples");
        AssertRefused(new WavBytes { Data = data }.Build()[..40], "ends before its data");
        AssertRefused(new WavBytes { Data = data }.Build()[..30], "too short");
        AssertRefused([.. "RIFF\0\0\0\0WAVEdata\u0004\0\0\0abcd"u8], "before their format");
        AssertRefused([.. "RIFF\0\0\0\0WAVEfmt \u0004\0\0\0abcd"u8], "too short");
    }

    [Fact]
    public void Open_ThousandsOfMutations_GiveSamplesOrOneClearError()
    {
        var original = new WavBytes { Channels = 2, Extensible = true, Data = WavBytes.OfInt16(1, 2, 3, 4, 5, 6), After = [("LIST", new byte[4])] }.Build();
        var random = new Random(5);
        var (read, refused) = (0, 0);
        for (var i = 0; i < 2000; i++)
        {
            var mutant = (byte[])original.Clone();
            for (var n = random.Next(1, 3); n > 0; n--)
            {
                // Not the first twelve bytes and not the codec: what is no WAV goes to ffmpeg, which is slow.
                var at = random.Next(12, mutant.Length);
                mutant[at] = at is 20 or 21 or 44 or 45 ? mutant[at] : (byte)random.Next(256);
            }

            try
            {
                using var audio = AudioFile.Open(Write(random.Next(5) == 0 ? mutant[..random.Next(12, mutant.Length)] : mutant), () => Stream.Null, "no-such-ffmpeg");
                ReadAll(audio);
                read++;
            }
            catch (AsrException error)
            {
                Assert.DoesNotContain('\n', error.Message);
                refused++;
            }
        }

        Assert.True(read > 200 && refused > 200, $"{read} read, {refused} refused");
    }

    [Fact]
    public void Open_NoFile_GivesOneClearError()
    {
        AssertRefusedAt(_folder.File("none.wav"), "does not exist");
        AssertRefusedAt(Path.Combine(_folder.File("none"), "x.wav"), "does not exist");
        AssertRefusedAt(_folder.Root, "is a folder");
        AssertRefused([], "is empty");
    }

    [Theory]
    [InlineData(8000)]
    [InlineData(22050)]
    [InlineData(44100)]
    public void Open_AnotherRate_IsConverted(int rate)
    {
        // A second of 440 Hz: the same tone at 16 kHz, however large the pieces are that are read.
        var tone = Enumerable.Range(0, rate).Select(n => (short)(16384 * Math.Sin(2 * Math.PI * 440 * n / rate))).ToArray();
        using var audio = Open(new WavBytes { SampleRateHz = rate, Data = WavBytes.OfInt16(tone) });
        var found = ReadAll(audio);
        Assert.Equal(16000, found.Length);
        Assert.Equal(16000, audio.LengthSamples);
        for (var n = 400; n < 15600; n++)
        {
            Assert.Equal(0.5 * Math.Sin(2 * Math.PI * 440 * n / 16000), found[n], 1e-4);
        }

        Assert.Equal(found, ReadAll(audio, pieces: 37));
    }

    [Fact]
    public void Open_OneSampleAt8kHz_GivesTwo()
    {
        Assert.Equal(2, ReadAll(new WavBytes { SampleRateHz = 8000, Data = WavBytes.OfInt16(1000) }).Length);
    }

    [Fact]
    public void Read_TenHours_NeedsBoundedMemory()
    {
        // Sparse: silence takes no room on disk where the file system can do that.
        const long Samples = 10L * 3600 * 16000;
        var path = _folder.File("long.wav");
        using (var stream = new FileStream(path, FileMode.CreateNew))
        {
            Span<byte> header = stackalloc byte[WavWriter.HeaderBytes];
            WavWriter.WriteHeader(header, 2 * Samples, 16000);
            stream.Write(header);
            stream.SetLength(WavWriter.HeaderBytes + (2 * Samples));
        }

        using var audio = AudioFile.Open(path);
        Assert.Equal(Samples, audio.LengthSamples);
        var before = GC.GetAllocatedBytesForCurrentThread();
        using var reader = audio.OpenReader();
        var buffer = new float[1 << 15];
        long total = 0;
        for (int count; (count = reader.Read(buffer)) > 0;)
        {
            total += count;
        }

        Assert.Equal(Samples, total);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2 << 20);
    }

    [Fact]
    public void Open_StandardInput_IsSpooledAndDeletedAfterwards()
    {
        var bytes = new WavBytes { Data = WavBytes.OfInt16(5, 6, 7) }.Build();
        string spooled;
        using (var audio = AudioFile.Open("-", () => new MemoryStream(bytes)))
        {
            Assert.Equal("standard input", audio.Name);
            Assert.Equal(3, ReadAll(audio).Length);
            Assert.Equal(3, ReadAll(audio).Length);
            spooled = audio.SpoolPath!;
            Assert.True(File.Exists(spooled));
        }

        Assert.False(File.Exists(spooled));
    }

    [Fact]
    public void Open_EmptyStandardInput_GivesOneClearErrorAndLeavesNothing()
    {
        var error = Assert.Throws<AsrException>(() => AudioFile.Open("-", () => new MemoryStream()).Dispose());
        Assert.Equal("standard input is empty.", error.Message);
    }

    [Fact]
    public void Open_Flac_GivesTheSamplesOfTheWav()
    {
        var flac = Encode("audio/jfk.wav", "jfk.flac");
        using var audio = AudioFile.Open(flac);
        var expected = WavFixture.Read("audio/jfk.wav");
        Assert.Equal(expected, ReadAll(audio));
        Assert.Equal(expected, ReadAll(audio));
        Assert.Null(audio.LengthSamples);
        Assert.Null(audio.Warning);
    }

    [Theory]
    [InlineData("x.mp3", "-ar 44100 -ac 2")]
    [InlineData("x.ogg", "-ar 48000")]
    [InlineData("x.m4a", "-ar 22050")]
    [InlineData("x.wav", "-c:a adpcm_ms")]
    [InlineData("-x y:z.m4a", "-c:a aac -ac 6 -ar 48000")]
    public void Open_CompressedAudio_SoundsLikeItsSource(string name, string options)
    {
        using var audio = AudioFile.Open(Encode("audio/fox.wav", name, options));
        var expected = WavFixture.Read("audio/fox.wav");
        var found = ReadAll(audio);
        Assert.InRange(found.Length, expected.Length - 100, expected.Length + 3000);

        // Coders may shift by some milliseconds; the energy of 100 ms pieces stays.
        var (a, b) = (Levels(expected), Levels(found));
        Assert.True(Correlation(a, b.AsSpan(0, a.Length)) > 0.98);
    }

    [Fact]
    public void Open_CompressedAudioCutOff_IsReadAsFarAsItGoesWithAWarning()
    {
        var bytes = File.ReadAllBytes(Encode("audio/jfk.wav", "jfk.flac"));
        using var audio = AudioFile.Open(Write(bytes[..(bytes.Length / 2)], "cut.flac"));
        Assert.InRange(ReadAll(audio).Length, 40000, 140000);
        Assert.Contains("cut.flac was decoded as far as ffmpeg could", audio.Warning, StringComparison.Ordinal);
        Assert.DoesNotContain("\n", audio.Warning, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_NoAudio_GivesOneClearError()
    {
        RequireFfmpeg();
        AssertRefused(Encoding.ASCII.GetBytes("This is a text, and no audio whatsoever."), "no audio that ffmpeg can decode");
        AssertRefused([1], "no audio that ffmpeg can decode");
    }

    [Fact]
    public void Open_Playlist_FetchesNothing()
    {
        RequireFfmpeg();
        var path = _folder.Write("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n");
        Assert.Throws<AsrException>(() => AudioFile.Open(path).Dispose());
    }

    [Fact]
    public void Open_WithoutFfmpeg_SaysHowToInstallIt()
    {
        var path = Write([.. "ID3"u8, .. new byte[100]], "x.mp3");
        var error = Assert.Throws<AsrException>(() => AudioFile.Open(path, () => Stream.Null, "no-such-ffmpeg").Dispose());
        Assert.Contains("ffmpeg", error.Message, StringComparison.Ordinal);
        Assert.Contains("install ffmpeg", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Dispose_ReaderInTheMiddle_EndsTheDecoder()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Skip("Needs a shell script in ffmpeg's place.");
            return;
        }

        // A decoder that never comes to an end.
        var wav = Write(new WavBytes { ClaimedSize = uint.MaxValue, Data = WavBytes.OfInt16(1, 2, 3) }.Build(), "header.wav");
        var script = _folder.Write("decoder.sh", $"#!/bin/sh\necho $$ > {_folder.File("pid")}\ncat {wav}\nexec cat /dev/zero\n");
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        using (var audio = AudioFile.Open(Write([1, 2, 3], "x.bin"), () => Stream.Null, script))
        {
            using var reader = audio.OpenReader();
            var buffer = new float[100_000];
            Assert.True(reader.Read(buffer) > 0);
            Assert.True(reader.Read(buffer) > 0);
            Assert.True(IsAlive());
        }

        Assert.False(IsAlive());

        bool IsAlive() => Directory.Exists($"/proc/{File.ReadAllText(_folder.File("pid")).Trim()}");
    }

    [Fact]
    public void WavWriter_Samples_ReadBackAndAreClipped()
    {
        var path = _folder.File("written.wav");
        WavWriter.Write(path, new[] { 0.5f, -0.25f, 7f, -7f, 1 / 32768f }, 16000);
        using var audio = AudioFile.Open(path);
        Assert.Equal([0.5f, -0.25f, 32767 / 32768f, -1f, 1 / 32768f], ReadAll(audio));
        Assert.Equal(54, new FileInfo(path).Length);
    }

    [Fact]
    public void WavWriter_FixtureAgain_HasTheSameSamples()
    {
        var path = _folder.File("written.wav");
        var samples = WavFixture.Read("audio/live.wav");
        WavWriter.Write(path, samples, 16000);
        using var audio = AudioFile.Open(path);
        Assert.Equal(samples, ReadAll(audio));
    }

    [Fact]
    public void WavWriter_MoreThan4GiB_IsRefused() =>
        Assert.Throws<AsrException>(() => WavWriter.WriteHeader(new byte[44], 1L << 32, 16000));

    private static void RequireFfmpeg()
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("ffmpeg", "-version") { RedirectStandardOutput = true })!;
            process.StandardOutput.ReadToEnd();
            process.WaitForExit();
        }
        catch (System.ComponentModel.Win32Exception) when (Environment.GetEnvironmentVariable("CI") != "true")
        {
            Assert.Skip("ffmpeg is not installed.");
        }
    }

    private static float[] ReadAll(IAudioSource audio, int pieces = 4096)
    {
        using var reader = audio.OpenReader();
        var samples = new List<float>();
        var buffer = new float[pieces];
        for (int count; (count = reader.Read(buffer)) > 0;)
        {
            samples.AddRange(buffer.AsSpan(0, count));
        }

        Assert.Equal(0, reader.Read(buffer));
        return [.. samples];
    }

    private static double[] Levels(float[] samples) =>
        [.. samples.Chunk(1600).Select(piece => Math.Sqrt(piece.Sum(sample => (double)sample * sample)))];

    private static double Correlation(ReadOnlySpan<double> a, ReadOnlySpan<double> b) =>
        System.Numerics.Tensors.TensorPrimitives.CosineSimilarity(a, b);

    private float[] Decode(ushort tag, int bits, byte[] data, bool extensible) =>
        ReadAll(new WavBytes { Tag = tag, Bits = bits, Data = data, Extensible = extensible });

    private float[] ReadAll(WavBytes wav)
    {
        using var audio = Open(wav);
        return ReadAll(audio);
    }

    private AudioFile Open(WavBytes wav) => AudioFile.Open(Write(wav.Build()));

    private string Write(byte[] bytes, string name = "x.wav")
    {
        File.WriteAllBytes(_folder.File(name), bytes);
        return _folder.File(name);
    }

    private string Encode(string fixture, string name, string options = "")
    {
        RequireFfmpeg();
        var path = _folder.File(name);
        var start = new ProcessStartInfo("ffmpeg") { RedirectStandardError = true };
        foreach (var argument in (string[])["-nostdin", "-loglevel", "error", "-i", Fixtures.Path(fixture), .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries), "file:" + path])
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors);
        return path;
    }

    private void AssertRefused(byte[] bytes, string message) => AssertRefusedAt(Write(bytes), message);

    private static void AssertRefusedAt(string path, string message)
    {
        var error = Assert.Throws<AsrException>(() => AudioFile.Open(path).Dispose());
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }
}
