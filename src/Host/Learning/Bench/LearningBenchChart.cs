using System.Globalization;
using System.Net;
using System.Text;

namespace AsrPlatform.Host.Learning.Bench;

/// <summary>Draws what <c>bench learning</c> measured: word error rates before and after, by domain and number of corrections, and what was forgotten.</summary>
internal static class LearningBenchChart
{
    private const int Width = 900;
    private const int PanelHeight = 230;
    private const int Left = 60;
    private const int Right = 20;
    private const int Top = 40;
    private const int Bottom = 44;
    private const string BeforeColour = "#9ca3af";
    private const string AfterColour = "#1f6fb2";
    private const string SeedColour = "#c2410c";

    /// <summary>Draws. One SVG that needs nothing else.</summary>
    public static string Draw(LearningBenchResult result)
    {
        var domains = result.Domains.GroupBy(summary => summary.Domain).ToArray();
        var height = 56 + ((domains.Length + 1) * PanelHeight);
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{Width}\" height=\"{height}\" viewBox=\"0 0 {Width} {height}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#333\">\n");
        svg.Append(CultureInfo.InvariantCulture, $"<rect width=\"{Width}\" height=\"{height}\" fill=\"#fff\"/>\n<text x=\"{Left}\" y=\"26\" font-size=\"15\" font-weight=\"bold\">Learning from corrections</text>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left}\" y=\"46\">grey: before the round; blue: after it; dots: seeds; ×: a rejected candidate</text>\n");
        for (var index = 0; index < domains.Length; index++)
        {
            Panel(index, $"{domains[index].Key}: word error rate on other utterances, %", [.. domains[index].SelectMany(summary => Bars(summary, result))]);
        }

        Panel(domains.Length, "anchor set: word error rate, %", [.. result.Sequences.Where(sequence => sequence.BaseAnchorWer is not null).GroupBy(sequence => sequence.Corrections).SelectMany(Anchor)]);
        return svg.Append("</svg>\n").ToString();

        void Panel(int index, string title, Bar[] bars)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<g transform=\"translate(0 {56 + (index * PanelHeight)})\">\n<text x=\"{Left}\" y=\"22\" font-weight=\"bold\">{WebUtility.HtmlEncode(title)}</text>\n");
            DrawBars(svg, bars);
            svg.Append("</g>\n");
        }
    }

    private static IEnumerable<Bar> Bars(LearningSummary summary, LearningBenchResult result)
    {
        LearningStage[] stages = [.. result.Sequences.Where(sequence => sequence.Corrections == summary.Corrections)
            .SelectMany(sequence => sequence.Stages).Where(stage => stage.Domain == summary.Domain)];
        yield return new Bar($"{summary.Corrections}", summary.Before, BeforeColour, [.. stages.Select(stage => (stage.Before.Wer, false))]);
        yield return new Bar($"−{100 * summary.RelativeReduction:0} %", summary.After, AfterColour, [.. stages.Select(stage => (stage.After.Wer, stage.IsRejected))]);
    }

    private static IEnumerable<Bar> Anchor(IGrouping<int, LearningSequence> group)
    {
        double[] before = [.. group.Select(sequence => sequence.BaseAnchorWer!.Value)];
        double[] after = [.. group.Select(sequence => sequence.Stages[^1].AnchorWer!.Value)];
        yield return new Bar($"{group.Key}", before.Average(), BeforeColour, [.. before.Select(value => (value, false))]);
        yield return new Bar("at the end", after.Average(), AfterColour, [.. after.Select(value => (value, false))]);
    }

    private static void DrawBars(StringBuilder svg, Bar[] bars)
    {
        if (bars.Length == 0)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left}\" y=\"{Top + 40}\">not measured</text>\n");
            return;
        }

        var most = Math.Max(0.1, Math.Ceiling(bars.Max(bar => Math.Max(bar.Value, bar.Seeds.Max(seed => seed.Value))) * 10) / 10);
        var step = most > 0.6 ? 0.2 : 0.1;
        for (var value = 0.0; value <= most + 1e-9; value += step)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{Left} {Y(value):0.#}H{Width - Right}\" stroke=\"#ddd\"/><text x=\"{Left - 8}\" y=\"{Y(value) + 4:0.#}\" text-anchor=\"end\">{100 * value:0}</text>\n");
        }

        var slot = (Width - Left - Right) / (bars.Length / 2.0);
        for (var i = 0; i < bars.Length; i++)
        {
            var bar = bars[i];
            var width = Math.Min(70, slot * 0.38);
            var centre = Left + (slot * ((i / 2) + 0.5)) + (i % 2 == 0 ? -width * 0.55 : width * 0.55);
            svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{centre - (width / 2):0.#}\" y=\"{Y(bar.Value):0.#}\" width=\"{width:0.#}\" height=\"{Y(0) - Y(bar.Value):0.#}\" fill=\"{bar.Colour}\"/>");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{centre:0.#}\" y=\"{Y(0) + 15:0.#}\" text-anchor=\"middle\">{WebUtility.HtmlEncode(i % 2 == 0 ? "before" : bar.Label)}</text>");
            if (i % 2 == 0)
            {
                svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left + (slot * ((i / 2) + 0.5)):0.#}\" y=\"{Y(0) + 32:0.#}\" text-anchor=\"middle\" font-weight=\"bold\">{bar.Label} corrections</text>");
            }

            svg.Append('\n');
            for (var seed = 0; seed < bar.Seeds.Count; seed++)
            {
                var (value, isRejected) = bar.Seeds[seed];
                var x = centre + ((seed - ((bar.Seeds.Count - 1) / 2.0)) * Math.Min(12, width / Math.Max(1, bar.Seeds.Count)));
                svg.Append(isRejected
                    ? string.Create(CultureInfo.InvariantCulture, $"<path d=\"M{x - 4:0.#} {Y(value) - 4:0.#}l8 8m0 -8l-8 8\" stroke=\"{SeedColour}\" stroke-width=\"2\"/>")
                    : string.Create(CultureInfo.InvariantCulture, $"<circle cx=\"{x:0.#}\" cy=\"{Y(value):0.#}\" r=\"3\" fill=\"{SeedColour}\"/>"));
            }

            svg.Append('\n');
        }

        double Y(double value) => Top + ((1 - (value / most)) * (PanelHeight - Top - Bottom));
    }

    /// <param name="Label">Below it.</param>
    /// <param name="Value">A word error rate.</param>
    /// <param name="Colour">Its colour.</param>
    /// <param name="Seeds">Each seed's value, and whether its candidate was rejected.</param>
    private sealed record Bar(string Label, double Value, string Colour, IReadOnlyList<(double Value, bool IsRejected)> Seeds);
}
