using AsrPlatform.Tests;
using AsrPlatform.Whisper.Decoding;

namespace AsrPlatform.Whisper.Tests.Decoding;

public sealed class LanguageDetectorTests(MicroRecognizer micro) : IClassFixture<MicroRecognizer>
{
    [Fact]
    public void Detect_EveryReferenceClip_GivesItsProbabilities()
    {
        var count = 0;
        foreach (var row in Fixtures.Lines("decode/language.jsonl"))
        {
            var features = micro.Parts.Features.Extract(WavFixture.Read($"audio/{row["audio"]}.wav"), padToSamples: 480000);
            using var states = micro.Parts.Model.Encode(features.Values, 1, features.Frames);

            var languages = Assert.Single(LanguageDetector.Detect(micro.Parts.Model, states, micro.Parts.Tokenizer));

            Assert.Equal((string)row["language"]!, $"<|{languages[0].Code}|>");
            Assert.Equal(1, languages.Sum(language => language.Probability), 1e-5);
            foreach (var (expected, found) in row["top"]!.AsArray().Zip(languages))
            {
                Assert.Equal((string)expected![0]!, $"<|{found.Code}|>");
                Assert.Equal((double)expected[1]!, found.Probability, Math.Max(2e-6, 0.01 * (double)expected[1]!));
            }

            count++;
        }

        Assert.Equal(9, count);
    }

    [Fact]
    public void Detect_SeveralRows_TellsEachRowsLanguage()
    {
        string[] clips = ["ja", "fox"];
        float[] features = [.. clips.SelectMany(clip =>
            micro.Parts.Features.Extract(WavFixture.Read($"audio/{clip}.wav"), padToSamples: 480000).Values)];
        using var states = micro.Parts.Model.Encode(features, 2, 3000);

        var languages = LanguageDetector.Detect(micro.Parts.Model, states, micro.Parts.Tokenizer);

        Assert.Equal(["ja", "en"], languages.Select(row => row[0].Code));
    }
}
