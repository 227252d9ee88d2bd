using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Cli;

/// <summary><c>asr transcribe</c> as a user runs it, on the checkpoint and the clips of the fixtures.</summary>
public sealed class TranscribeTests : IDisposable
{
    private const string FoxText = "The quick brown fox jumps over the lazy dog.";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("asr-transcribe-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Transcribe_WavToStdout_PrintsTheText() =>
        Assert.Equal(FoxText + "\n", Transcribe(Audio("fox")).ShouldSucceed());

    [Fact]
    public void Transcribe_SeveralFilesAsJson_GivesAnObjectALine()
    {
        var lines = Transcribe(Audio("fox"), Audio("de"), "--format", "json").ShouldSucceed().TrimEnd('\n').Split('\n');
        Assert.Equal(2, lines.Length);
        var (fox, german) = (JsonDocument.Parse(lines[0]).RootElement, JsonDocument.Parse(lines[1]).RootElement);
        Assert.Equal(" " + FoxText, fox.GetProperty("text").GetString());
        Assert.Equal("en", fox.GetProperty("language").GetString());
        Assert.Equal(" Guten Morgen, wie geht es Ihnen heute?", german.GetProperty("text").GetString());
        Assert.Equal("de", german.GetProperty("language").GetString());
        Assert.True(fox.GetProperty("segments")[0].GetProperty("avg_logprob").GetDouble() < 0);
    }

    [Fact]
    public void Transcribe_WordTimestamps_GivesEachWordATime()
    {
        var json = JsonDocument.Parse(Transcribe(Audio("fox"), "--format", "json", "--word-timestamps", "--language", "en").ShouldSucceed()).RootElement;
        var words = json.GetProperty("segments")[0].GetProperty("words").EnumerateArray().ToArray();
        Assert.Equal(FoxText.Split(' ').Length, words.Length);
        Assert.Equal(" quick", words[1].GetProperty("word").GetString());
        Assert.All(words, word => Assert.True(word.GetProperty("end").GetDouble() >= word.GetProperty("start").GetDouble()));
    }

    [Theory]
    [InlineData("hf")]
    [InlineData("openai")]
    public void Transcribe_TranslateFromGerman_GivesEnglish(string algorithm) =>
        Assert.Equal(
            "Good morning, how are you today?\n",
            Transcribe(Audio("de"), "--task", "translate", "--language", "german", "--algorithm", algorithm).ShouldSucceed());

    [Fact]
    public void Transcribe_BeamSearch_GivesTheSameText() =>
        Assert.Equal(FoxText + "\n", Transcribe(Audio("fox"), "--beam-size", "5", "--language", "en").ShouldSucceed());

    [Fact]
    public void Transcribe_ToFolder_WritesAFileForEachInput()
    {
        var output = Path.Combine(_folder.FullName, "new", "folder");
        Assert.Equal("", Transcribe(Audio("fox"), Audio("live"), "--format", "srt", "--output-dir", output).ShouldSucceed());
        Assert.Equal(["fox.srt", "live.srt"], Directory.GetFiles(output).Select(Path.GetFileName).Order());
        Assert.StartsWith("1\n00:00:00,000 --> 00:00:03,440\n" + FoxText, File.ReadAllText(Path.Combine(output, "fox.srt")), StringComparison.Ordinal);
    }

    [Fact]
    public void Transcribe_Stdin_ReadsTheAudio()
    {
        using var audio = File.OpenRead(Audio("fox"));
        Assert.Equal(FoxText + "\n", AsrProcess.Run(audio, ["transcribe", "-", "--model", Model()]).ShouldSucceed());
    }

    [Fact]
    public void Transcribe_OneOfThreeFilesBroken_TranscribesTheOthersAndFails()
    {
        var broken = Write("broken.wav", "this is no audio"u8);
        var result = Transcribe(Audio("fox"), broken, Audio("live"), "--format", "json");
        Assert.Equal(1, result.ExitCode);
        Assert.Equal(2, result.Output.TrimEnd('\n').Split('\n').Length);
        Assert.Contains("broken.wav", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Transcribe_SeveralFilesInOneBatch_GivesEachItsTextAndFailsForTheBroken()
    {
        var broken = Write("broken.wav", "this is no audio"u8);
        var result = Transcribe(
            Audio("fox"), broken, Audio("live"), "--algorithm", "chunked", "--batch-size", "4", "--language", "en", "--word-timestamps", "--format", "json");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("broken.wav", result.Error, StringComparison.Ordinal);
        var files = result.Output.TrimEnd('\n').Split('\n').Select(line => JsonDocument.Parse(line).RootElement).ToArray();
        Assert.Equal([" " + FoxText, " Captions arrive while you are still speaking."], files.Select(file => file.GetProperty("text").GetString()));
        Assert.Equal(FoxText.Split(' ').Length, files[0].GetProperty("segments")[0].GetProperty("words").GetArrayLength());
    }

    [Fact]
    public void Transcribe_StrideOfHalfAChunk_Fails() =>
        Transcribe(Audio("fox"), "--algorithm", "chunked", "--chunk-length", "10", "--stride-length", "5").ShouldFailWith("less than half of the chunk length");

    [Theory]
    [InlineData(8000, 1, false)]
    [InlineData(48000, 6, false)]
    [InlineData(44100, 2, true)]
    public void Transcribe_OtherRatesAndChannels_GivesTheText(int rate, int channels, bool floats)
    {
        // Above 8 kHz the clip is only moved to another rate; at 8 kHz half of its band is gone, so that the text may differ.
        var text = Transcribe(Write("other.wav", Wav(Upsample(Samples("fox"), 16000, rate), rate, channels, floats)), "--language", "en").ShouldSucceed();
        if (rate > 16000)
        {
            Assert.Equal(FoxText + "\n", text);
        }
    }

    [Fact]
    public void Transcribe_OneSample_Succeeds() => Transcribe(Write("one.wav", Wav([0.25f], 16000, 1, false))).ShouldSucceed();

    [Fact]
    public void Transcribe_WavCutInItsData_TranscribesAsFarAsItGoesAndWarns()
    {
        var whole = File.ReadAllBytes(Audio("jfk"));
        var result = Transcribe(Write("cut.wav", whole.AsSpan(0, whole.Length / 2)), "--language", "en", "--format", "json");
        var json = JsonDocument.Parse(result.ShouldSucceed()).RootElement;
        Assert.Equal(5.5, json.GetProperty("duration").GetDouble(), 0.1);
        Assert.Contains("warning", result.Error, StringComparison.Ordinal);
        Assert.Contains("cut.wav", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Transcribe_EmptyFile_Fails() => Transcribe(Write("empty.wav", [])).ShouldFailWith("empty");

    [Fact]
    public void Transcribe_NoChannels_Fails()
    {
        var wav = Wav([0, 0, 0], 16000, 1, false);
        wav[22] = 0;
        Transcribe(Write("no-channels.wav", wav)).ShouldFailWith("channel");
    }

    [Fact]
    public void Transcribe_NoSamples_Fails() => Transcribe(Write("no-samples.wav", Wav([], 16000, 1, false))).ShouldFailWith("no samples");

    [Fact]
    public void Transcribe_NoAudio_Fails() => Transcribe(Write("notes.txt", "Dear diary,"u8)).ShouldFailWith("notes.txt");

    [Fact]
    public void Transcribe_NotANumber_Fails() => Transcribe(Write("nan.wav", Wav([0, float.NaN, 0], 16000, 1, true))).ShouldFailWith("sample 1");

    [Fact]
    public void Transcribe_FolderInPlaceOfFile_Fails() => Transcribe(_folder.FullName).ShouldFailWith("folder");

    [Fact]
    public void Transcribe_MissingFile_Fails() => Transcribe(Path.Combine(_folder.FullName, "nowhere.wav")).ShouldFailWith("nowhere.wav");

    [Fact]
    public void Transcribe_UnknownLanguage_Fails() => Transcribe(Audio("fox"), "--language", "klingon").ShouldFailWith("klingon");

    [Fact]
    public void Transcribe_UnknownBackend_NamesThoseThereAre() => Transcribe(Audio("fox"), "--backend", "abacus").ShouldFailWith("torch");

    [Fact]
    public void Transcribe_UnknownAlgorithm_NamesThoseThereAre() => Transcribe(Audio("fox"), "--algorithm", "magic").ShouldFailWith("openai");

    [Fact]
    public void Transcribe_ModelMissing_Fails() =>
        AsrProcess.Run("transcribe", Audio("fox"), "--model", Path.Combine(_folder.FullName, "no-model")).ShouldFailWith("no-model");

    [Fact]
    public void Transcribe_TruncatedWeights_FailsNamingTheFile()
    {
        var copy = CopyModel();
        using (var weights = new FileStream(Path.Combine(copy, "model.safetensors"), FileMode.Open))
        {
            weights.SetLength(weights.Length / 2);
        }

        AsrProcess.Run("transcribe", Audio("fox"), "--model", copy).ShouldFailWith("model.safetensors");
    }

    [Fact]
    public void Transcribe_ContradictoryConfig_FailsNamingTheTensor()
    {
        var copy = CopyModel();
        var config = Path.Combine(copy, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"encoder_ffn_dim\": ", "\"encoder_ffn_dim\": 1", StringComparison.Ordinal));
        AsrProcess.Run("transcribe", Audio("fox"), "--model", copy).ShouldFailWith("fc1");
    }

    [Fact]
    public void Transcribe_CorruptTokenizer_FailsNamingTheFile()
    {
        var copy = CopyModel();
        var tokenizer = Path.Combine(copy, "tokenizer.json");
        File.WriteAllText(tokenizer, File.ReadAllText(tokenizer)[..100_000]);
        AsrProcess.Run("transcribe", Audio("fox"), "--model", copy).ShouldFailWith("tokenizer.json");
    }

    [Fact]
    public void Transcribe_UnknownOption_IsAUsageError()
    {
        var result = AsrProcess.Run("transcribe", "x.wav", "--frobnicate");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("--frobnicate", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Transcribe_FailedFile_LeavesNothingHalfWritten()
    {
        var output = Path.Combine(_folder.FullName, "out");
        Transcribe(Write("bad.wav", "RIFF"u8), "--output-dir", output).ShouldFailWith("bad.wav");
        Assert.Empty(Directory.GetFileSystemEntries(output));
    }

    private static string Model() => Fixtures.Path("micro");

    private static string Audio(string name) => Fixtures.Path($"audio/{name}.wav");

    private static AsrProcess.Result Transcribe(params string[] arguments) => AsrProcess.Run(["transcribe", .. arguments, "--model", Model()]);

    private string Write(string name, ReadOnlySpan<byte> bytes)
    {
        var path = Path.Combine(_folder.FullName, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private string CopyModel()
    {
        var copy = _folder.CreateSubdirectory("model").FullName;
        foreach (var file in Directory.GetFiles(Model()))
        {
            var target = Path.Combine(copy, Path.GetFileName(file));
            File.Copy(file, target);
            File.SetAttributes(target, FileAttributes.Normal);
        }

        return copy;
    }

    private static float[] Samples(string name)
    {
        var bytes = File.ReadAllBytes(Audio(name)).AsSpan(44);
        var samples = new float[bytes.Length / 2];
        for (var index = 0; index < samples.Length; index++)
        {
            samples[index] = BinaryPrimitives.ReadInt16LittleEndian(bytes[(2 * index)..]) / 32768f;
        }

        return samples;
    }

    /// <summary>Band-limited interpolation by a windowed sinc, for the test alone.</summary>
    private static float[] Upsample(float[] samples, int from, int to)
    {
        if (to < from)
        {
            // Averaging pairs keeps the test simple; what is asked for 8 kHz is only that it works.
            return [.. samples.Chunk(from / to).Select(chunk => chunk.Average())];
        }

        var result = new float[(int)((long)samples.Length * to / from)];
        for (var index = 0; index < result.Length; index++)
        {
            var position = (double)index * from / to;
            var centre = (int)Math.Floor(position);
            double sum = 0;
            for (var tap = Math.Max(centre - 31, 0); tap <= Math.Min(centre + 32, samples.Length - 1); tap++)
            {
                var x = position - tap;
                var window = 0.5 + (0.5 * Math.Cos(Math.PI * x / 33));
                sum += samples[tap] * window * (Math.Abs(x) < 1e-9 ? 1 : Math.Sin(Math.PI * x) / (Math.PI * x));
            }

            result[index] = (float)sum;
        }

        return result;
    }

    /// <summary>A WAV file with the same samples on every channel.</summary>
    private static byte[] Wav(float[] samples, int rate, int channels, bool floats)
    {
        var size = floats ? 4 : 2;
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.ASCII);
        writer.Write("RIFF"u8);
        writer.Write(36 + (samples.Length * size * channels));
        writer.Write("WAVEfmt "u8);
        writer.Write(16);
        writer.Write((short)(floats ? 3 : 1));
        writer.Write((short)channels);
        writer.Write(rate);
        writer.Write(rate * size * channels);
        writer.Write((short)(size * channels));
        writer.Write((short)(8 * size));
        writer.Write("data"u8);
        writer.Write(samples.Length * size * channels);
        foreach (var sample in samples)
        {
            for (var channel = 0; channel < channels; channel++)
            {
                if (floats)
                {
                    writer.Write(sample);
                }
                else
                {
                    writer.Write((short)Math.Clamp(Math.Round(sample * 32768), short.MinValue, short.MaxValue));
                }
            }
        }

        writer.Flush();
        return stream.ToArray();
    }
}
