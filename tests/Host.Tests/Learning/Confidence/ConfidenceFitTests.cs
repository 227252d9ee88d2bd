using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Learning.Confidence;

namespace AsrPlatform.Host.Tests.Learning.Confidence;

public sealed class ConfidenceFitTests(ITestOutputHelper output)
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public void Fit_AnOverconfidentModel_FindsItsTemperature()
    {
        // Words are right as often as the log odds halved say.
        var map = ConfidenceFit.Fit(Words(4000, confidence => ConfidenceMap.Sigmoid(ConfidenceMap.LogOdds(confidence) / 2)), "base", Now);
        Assert.Equal(CalibrationMethod.Temperature, map.Method);
        Assert.InRange(map.Temperature, 1.8, 2.2);
        Assert.InRange(map.Before.CalibrationError, 0.08, 0.2);
        Assert.InRange(map.After.CalibrationError, 0, 0.03);
        Assert.True(map.After.LogLoss < map.Before.LogLoss);
        Assert.Equal((4000, 500, Now, "base"), (map.Words, map.Captions, map.FittedAt, map.AdapterVersion));
        output.WriteLine($"calibration error {map.Before.CalibrationError:P1} → {map.After.CalibrationError:P1}");
    }

    [Fact]
    public void Fit_ACurveThatNoTemperatureGives_IsIsotonic()
    {
        // A model whose every word above a half is right at 0.6, and below at 0.2.
        var map = ConfidenceFit.Fit(Words(4000, confidence => confidence > 0.5 ? 0.6 : 0.2), "base", Now);
        Assert.Equal(CalibrationMethod.Isotonic, map.Method);
        Assert.InRange(map.Apply(0.9), 0.52, 0.68);
        Assert.InRange(map.Apply(0.2), 0.12, 0.28);
        Assert.InRange(map.After.CalibrationError, 0, 0.04);
        var values = Enumerable.Range(0, 101).Select(i => map.Apply(i / 100.0)).ToArray();
        Assert.Equal(values.Order(), values);
    }

    [Fact]
    public void Fit_ACalibratedModel_GainsNothingByIt()
    {
        var map = ConfidenceFit.Fit(Words(4000, confidence => confidence), "base", Now);
        Assert.InRange(map.Apply(0.7), 0.66, 0.74);
        Assert.InRange(map.After.CalibrationError, 0, 0.03);
    }

    [Fact]
    public void Fit_WhatItIsNotFittedOn_IsMeasured()
    {
        // Right or wrong at random: a curve through it would seem good on its own words alone.
        var map = ConfidenceFit.Fit(Words(60, _ => 0.5), "base", Now);
        Assert.InRange(map.After.LogLoss, 0.6, map.Before.LogLoss);
    }

    [Fact]
    public void Fit_TooFewWords_IsRefused() =>
        Assert.Contains("50 are needed", Assert.Throws<AsrException>(() => ConfidenceFit.Fit(Words(49, _ => 0.5), "base", Now)).Message, StringComparison.Ordinal);

    [Fact]
    public void Fit_InAnotherOrder_IsTheSame()
    {
        var words = Words(400, confidence => confidence * confidence);
        var map = ConfidenceFit.Fit(words, "base", Now);
        var other = ConfidenceFit.Fit([.. words.OrderBy(word => word.Confidence)], "base", Now);
        Assert.Equal(map.Method, other.Method);
        Assert.Equal(map.Apply(0.8), other.Apply(0.8), 0.02);
        Assert.Equal(map.After.LogLoss, other.After.LogLoss, 0.02);
    }

    [Fact]
    public void Quality_OfKnownWords_IsWhatTheDefinitionSays()
    {
        var quality = ConfidenceFit.Quality([(0.95, true), (0.95, false), (0.25, false), (0.25, false)]);

        // Bins of 2 words each: |0.95 − 0.5| and |0.25 − 0|.
        Assert.Equal(0.35, quality.CalibrationError, 1e-12);
        Assert.Equal(-(Math.Log(0.95) + Math.Log(0.05) + (2 * Math.Log(0.75))) / 4, quality.LogLoss, 1e-12);
    }

    [Theory]
    [InlineData("the quick brown fox", "the quick brown fox", "1111")]
    [InlineData("The quick, brown fox.", "the quick brown fox", "1111")]
    [InlineData("the quack brown fox", "the quick brown fox", "1011")]
    [InlineData("the quick brown fox", "the brown fox jumps", "1011")]
    [InlineData("the … fox", "the fox", "101")]
    [InlineData("the quick fox", "", "000")]
    public void AreRight_WordsOfACorrectedCaption_AreThoseThatStood(string heard, string text, string expected)
    {
        CaptionWord[] words = [.. heard.Split(' ').Select(word => new CaptionWord(word, 0, 1, 0.5))];
        Assert.Equal(expected, string.Concat(CaptionedWords.AreRight(words, text).Select(right => right ? '1' : '0')));
    }

    [Fact]
    public void Weight_OfACorrection_RisesWithItsSurprise()
    {
        static CaptionWord[] Captioned(double confidence) => [.. "the quack fox".Split(' ').Select(word => new CaptionWord(word, 0, 1, confidence))];
        Assert.Equal(CaptionedWords.LeastWeight, CaptionedWords.Weight(Captioned(1), "the quack fox"), 1e-12);
        Assert.Equal(CaptionedWords.MostWeight, CaptionedWords.Weight(Captioned(1), "something else altogether"), 1e-12);
        Assert.InRange(CaptionedWords.Weight(Captioned(0.9), "the quick fox"), 1, 1.2);
        Assert.Equal(1, CaptionedWords.Weight([], "the quick fox"));
    }

    [Fact]
    public void Calibrate_ByVersion_TakesTheVersionsMapOrTheNewest()
    {
        var maps = new ConfidenceMaps();
        var word = new CaptionWord("fox", 0, 1, 0.9);
        Assert.Same(word, maps.Calibrate(word, "base"));

        maps.Use([Map("base", 2, Now), Map("a1", 4, Now.AddDays(1))]);
        var calibrated = maps.Calibrate(word, "base");
        Assert.Equal((0.75, 0.9), (calibrated.Confidence, calibrated.ModelConfidence!.Value), Close);
        Assert.Equal(calibrated, maps.Calibrate(calibrated, "base"));
        Assert.Equal(maps.Calibrate(word, "a1"), maps.Calibrate(word, "a2"));
        Assert.NotEqual(calibrated, maps.Calibrate(word, "a2"));
    }

    private static bool Close((double, double) first, (double, double) second) => Math.Abs(first.Item1 - second.Item1) < 1e-9 && first.Item2 == second.Item2;

    internal static ConfidenceMap Map(string version, double temperature, DateTimeOffset fittedAt) => new()
    {
        AdapterVersion = version,
        Method = CalibrationMethod.Temperature,
        Temperature = temperature,
        Words = 100,
        Right = 50,
        Captions = 10,
        Before = default,
        After = default,
        FittedAt = fittedAt,
    };

    private static ConfidenceSample[] Words(int count, Func<double, double> shareRight)
    {
        var random = new Random(9);
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            var confidence = random.NextDouble();
            return new ConfidenceSample(confidence, random.NextDouble() < shareRight(confidence), i / 8);
        })];
    }
}
