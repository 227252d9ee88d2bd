using AsrPlatform.Tests;
using AsrPlatform.Whisper.Decoding;
using AsrPlatform.Whisper.Streaming;
using AsrPlatform.Whisper.Tests.Decoding;
using AsrPlatform.Whisper.Tests.Decoding.OpenAi;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Tests.Streaming;

public sealed class StreamingDecoderTests(MicroRecognizer micro) : IClassFixture<MicroRecognizer>
{
    private const int The = 440;
    private const int Fox = 21026;
    private const int Jumps = 16704;

    private WhisperTokenizer Tokenizer => micro.Parts.Tokenizer;

    [Fact]
    public void Decode_SeveralWindowsInOneBatch_HearsWhatEachAloneWouldGive()
    {
        var fox = WavFixture.Read("audio/fox.wav");
        var jfk = WavFixture.Read("audio/jfk.wav");
        StreamPass[] passes =
        [
            new() { Samples = fox, Language = "en" },
            new() { Samples = jfk.AsMemory(0, 3 * 16000), Language = "en" },
            new() { Samples = fox, Language = "en", Forced = Tokenizer.Encode(" The quick brown") },
            new() { Samples = jfk.AsMemory(0, 16000) },
            new() { Samples = jfk, Language = "en", Previous = Tokenizer.Encode(" The quick brown fox") },
        ];
        var decoder = new StreamingDecoder(micro.Parts, new StreamingOptions());
        var together = decoder.Decode(passes, TestContext.Current.CancellationToken);
        Assert.Equal("The quick brown fox jumps over the lazy dog.", Text(together[0]));
        Assert.Equal("fox jumps over the lazy dog.", Text(together[2]));
        Assert.Equal("en", together[3].Language);
        Assert.All(passes.Index(), pair => Same(together[pair.Index], Assert.Single(decoder.Decode([pair.Item], TestContext.Current.CancellationToken))));
    }

    [Fact]
    public void Decode_WindowsOfDifferentContexts_HearsWhatEachAloneWouldGive()
    {
        var jfk = WavFixture.Read("audio/jfk.wav");
        var decoder = new StreamingDecoder(micro.Parts, new StreamingOptions { ShortContext = true });
        Assert.Equal((100, 200, 600), (decoder.FramesOf(8000), decoder.FramesOf(16000), decoder.FramesOf(16000 * 59 / 10)));
        Assert.Equal(3000, decoder.FramesOf(30 * 16000));
        StreamPass[] passes = [.. new[] { 20_000, 40_000, 22_000 }.Select(count => new StreamPass { Samples = jfk.AsMemory(0, count), Language = "en" })];
        var together = decoder.Decode(passes, TestContext.Current.CancellationToken);
        Assert.All(passes.Index(), pair => Same(together[pair.Index], Assert.Single(decoder.Decode([pair.Item], TestContext.Current.CancellationToken))));
    }

    [Theory]
    [InlineData(true, StreamEnd.NoSpeech)]
    [InlineData(false, StreamEnd.EndOfText)]
    public void Decode_OfSilence_IsNotForcedToSayAnything(bool saysNoSpeech, StreamEnd end)
    {
        // The checkpoint suppresses the end as a first token, as OpenAI's do: that is what makes words of silence.
        Assert.Contains(Tokenizer.EndOfText, micro.Parts.Generation.BeginSuppressTokens);
        using var model = Script(_ => saysNoSpeech ? [(Tokenizer.NoSpeech, 10f), (The, 9f)] : [(Tokenizer.EndOfText, 10f), (The, 9f)]);
        var heard = Decode(model, new StreamPass { Samples = new float[16000], Language = "en" });
        Assert.Empty(heard.Words);
        Assert.Equal(end, heard.End);
    }

    [Fact]
    public void Decode_UnlikelyTextWithoutSpeech_IsNoText()
    {
        // After the start of the transcript: nobody speaks. Then every token is about as unlikely as any other.
        using var model = new ScriptedModel(micro.Parts.Model.Info, (_, tokens) => tokens.Count == 1
            ? [(Tokenizer.NoSpeech, 10f)]
            : tokens.Count < 7 ? [(The + tokens.Count, -19f)] : [(Tokenizer.EndOfText, 10f)]);
        var heard = Decode(model, new StreamPass { Samples = new float[16000], Language = "en" });
        Assert.InRange(heard.NoSpeechProbability, 0.9, 1);
        Assert.Empty(heard.Words);
        Assert.Equal(StreamEnd.NoSpeech, heard.End);
    }

    [Fact]
    public void Decode_AModelThatRepeatsItself_KeepsOneRepetition()
    {
        using var model = Script(text => [(text.Count % 2 == 0 ? The : Fox, 10f)]);
        var heard = Decode(model, new StreamPass { Samples = new float[10 * 16000], Language = "en" });
        Assert.Equal(StreamEnd.Repetition, heard.End);
        Assert.Equal("The fox", Text(heard));
        Assert.All(heard.Words, word => Assert.True(word.Repeats));
    }

    [Fact]
    public void Decode_MoreThanAnybodyCanSay_IsCutOff()
    {
        using var model = Script(text => [(The + (text.Count * 7 % 5000), 10f)]);
        var heard = Decode(model, new StreamPass { Samples = new float[16000], Language = "en" });
        Assert.Equal(StreamEnd.TooLong, heard.End);
        Assert.InRange(heard.Words.Sum(word => word.Text.Length), 0, 60);
    }

    [Theory]
    [InlineData(1, "")]
    [InlineData(int.MaxValue, "\U0001F980")]
    public void Decode_ACharacterWithoutItsLastByte_WaitsForIt(int count, string text)
    {
        var crab = Tokenizer.Encode(" \U0001F980").Take(count).ToArray();
        Assert.True(count == 1 || crab.Length > 1, "The character must take several tokens.");
        using var model = Script(said => said.Count < crab.Length ? [(crab[said.Count], 10f)] : [(Tokenizer.EndOfText, 10f)]);
        Assert.Equal(text, Text(Decode(model, new StreamPass { Samples = new float[16000], Language = "en" })));
    }

    [Fact]
    public void Decode_TheAttentionOfWords_GivesTheirTimes()
    {
        int[] text = [The, Fox, Jumps];

        // While token i is predicted, the decoder attends to second i + 1.
        using var model = Script(said => said.Count < 3 ? [(text[said.Count], 10f)] : [(Tokenizer.EndOfText, 10f)]);
        model.Attend = tokens => Math.Clamp(50 * (tokens.Count - 3), 0, 195);
        var heard = Decode(model, new StreamPass { Samples = new float[4 * 16000], Language = "en" });
        Assert.Equal([" The", " fox", " jumps"], heard.Words.Select(word => word.Text));
        Assert.All(heard.Words.Index(), pair => Assert.InRange(pair.Item.AttendedTo, pair.Index + 0.85, pair.Index + 1.15));
        Assert.All(heard.Words.Zip(heard.Words.Skip(1)), pair => Assert.Equal(pair.First.End, pair.Second.Start));
        Assert.InRange(heard.Words[^1].End, 2, 4);
        Assert.All(heard.Words, word => Assert.InRange(word.Confidence, 0.99, 1));
    }

    [Fact]
    public void Decode_BehindForcedWords_BeginsAWord()
    {
        var ending = Tokenizer.Encode("ing")[0];
        using var model = Script(said => said.Count == 1 ? [(ending, 10f), (Jumps, 9f)] : [(Tokenizer.EndOfText, 10f)]);
        var heard = Decode(model, new StreamPass { Samples = new float[2 * 16000], Language = "en", Forced = [Fox] });
        Assert.Equal(" jumps", Assert.Single(heard.Words).Text);
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData(false, false)]
    public void Decode_TheTextBefore_IsGivenToAModelThatLearntIt(bool? option, bool given)
    {
        var prompts = new List<int[]>();
        using var model = new ScriptedModel(micro.Parts.Model.Info, (_, tokens) =>
        {
            prompts.Add([.. tokens]);
            return [(Tokenizer.EndOfText, 10f)];
        });
        var decoder = new StreamingDecoder(Parts(model), new StreamingOptions { ConditionOnPreviousText = option });
        decoder.Decode([new StreamPass { Samples = new float[16000], Language = "en", Previous = [The, Fox] }], TestContext.Current.CancellationToken);
        Assert.Equal(given ? [Tokenizer.StartOfPrevious, The, Fox, Tokenizer.StartOfTranscript] : [Tokenizer.StartOfTranscript], prompts[0]);
        Assert.Equal(0, model.Open);
    }

    [Fact]
    public void Decode_MoreForcedTokensThanTheDecoderHolds_SaysSo()
    {
        using var model = Script(_ => [(Fox, 10f)]);
        var heard = Decode(model, new StreamPass { Samples = new float[16000], Language = "en", Forced = [.. Enumerable.Repeat(The, 440)] });
        Assert.Empty(heard.Words);
        Assert.Equal(StreamEnd.TooLong, heard.End);
        Assert.Equal(0, model.Open);
    }

    private static string Text(StreamHypothesis heard) => string.Concat(heard.Words.Select(word => word.Text)).Trim();

    private static void Same(StreamHypothesis expected, StreamHypothesis actual)
    {
        Assert.Equal(expected.Words.Select(word => (word.Text, word.Start, word.End)), actual.Words.Select(word => (word.Text, word.Start, word.End)));
        Assert.All(expected.Words.Zip(actual.Words), pair => Assert.Equal(pair.First.Confidence, pair.Second.Confidence, 1e-6));
        Assert.Equal((expected.Language, expected.End), (actual.Language, actual.End));
    }

    private WhisperDecoderInput Parts(ScriptedModel model) =>
        new(model, micro.Parts.Features, micro.Parts.Tokenizer, micro.Parts.Config, micro.Parts.Generation);

    private StreamHypothesis Decode(ScriptedModel model, StreamPass pass)
    {
        var heard = Assert.Single(new StreamingDecoder(Parts(model), new StreamingOptions()).Decode([pass], TestContext.Current.CancellationToken));
        Assert.Equal(0, model.Open);
        return heard;
    }

    /// <summary>Logits from the text tokens so far, forced ones included.</summary>
    private ScriptedModel Script(Func<List<int>, IEnumerable<(int Token, float Logit)>> script) => new(
        micro.Parts.Model.Info,
        (_, tokens) => script([.. tokens.Where(token => token < Tokenizer.EndOfText)]));
}
