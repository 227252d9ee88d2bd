using System.Globalization;
using System.Net;
using System.Text;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Host.Learning.Training;

/// <summary>Draws the curves of a training run over its steps: loss, learning rate, error rate. One SVG that needs nothing else.</summary>
internal static class CurveChart
{
    private const int Width = 860;
    private const int PanelHeight = 210;
    private const int Left = 74;
    private const int Right = 20;
    private const int Top = 34;
    private const int Bottom = 30;
    private const int Ticks = 5;

    /// <summary>What is drawn, a panel a line: its title, and the tags of its curves with their colours.</summary>
    private static readonly (string Title, (string Tag, string Colour)[] Curves)[] Panels =
    [
        ("loss", [("train/loss", "#1f6fb2"), ("eval/loss", "#c2410c")]),
        ("learning rate", [("train/learning_rate", "#1f6fb2")]),
        ("word error rate of the evaluations, %", [("eval/wer", "#c2410c")]),
    ];

    /// <summary>Draws a run.</summary>
    /// <param name="title">Shown above.</param>
    /// <param name="curves">Points by tag, in the order of steps; what is no number leaves a gap.</param>
    /// <returns>The SVG; null when there is nothing to draw.</returns>
    public static string? Draw(string title, IReadOnlyDictionary<string, IReadOnlyList<CurvePoint>> curves)
    {
        var panels = Panels
            .Select(panel => (panel.Title, Curves: panel.Curves
                .Where(curve => curves.TryGetValue(curve.Tag, out var points) && points.Any(point => float.IsFinite(point.Value)))
                .Select(curve => (curve.Tag, curve.Colour, Points: curves[curve.Tag])).ToArray()))
            .Where(panel => panel.Curves.Length > 0).ToArray();
        if (panels.Length == 0)
        {
            return null;
        }

        var last = Math.Max(1, panels.SelectMany(panel => panel.Curves).SelectMany(curve => curve.Points).Max(point => point.Step));
        var height = 40 + (panels.Length * PanelHeight);
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{Width}\" height=\"{height}\" viewBox=\"0 0 {Width} {height}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#333\">\n");
        svg.Append(CultureInfo.InvariantCulture, $"<rect width=\"{Width}\" height=\"{height}\" fill=\"#fff\"/>\n<text x=\"{Left}\" y=\"26\" font-size=\"15\" font-weight=\"bold\">{WebUtility.HtmlEncode(title)}</text>\n");
        for (var index = 0; index < panels.Length; index++)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<g transform=\"translate(0 {40 + (index * PanelHeight)})\">\n");
            DrawPanel(svg, panels[index].Title, panels[index].Curves, last);
            svg.Append("</g>\n");
        }

        return svg.Append("</svg>\n").ToString();
    }

    private static void DrawPanel(StringBuilder svg, string title, (string Tag, string Colour, IReadOnlyList<CurvePoint> Points)[] curves, long lastStep)
    {
        var values = curves.SelectMany(curve => curve.Points).Select(point => (double)point.Value).Where(double.IsFinite).ToArray();
        var step = NiceStep(values.Max() - Math.Min(0, values.Min()));
        var lowest = Math.Min(0, Math.Floor(values.Min() / step) * step);
        var highest = Math.Max(lowest + step, Math.Ceiling(values.Max() / step) * step);
        var stepOfSteps = Math.Max(1, NiceStep(lastStep));

        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left}\" y=\"20\" font-weight=\"bold\">{title}</text>\n");
        for (var i = 0; lowest + (i * step) <= highest + (step / 2); i++)
        {
            var value = lowest + (i * step);
            svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{Left} {Y(value):0.#}H{Width - Right}\" stroke=\"#ddd\"/><text x=\"{Left - 8}\" y=\"{Y(value) + 4:0.#}\" text-anchor=\"end\">{Number(value)}</text>\n");
        }

        for (var at = 0.0; at <= lastStep; at += stepOfSteps)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{X(at):0.#} {Top}V{PanelHeight - Bottom}\" stroke=\"#eee\"/><text x=\"{X(at):0.#}\" y=\"{PanelHeight - Bottom + 16}\" text-anchor=\"middle\">{at:0}</text>\n");
        }

        var legend = Width - Right;
        foreach (var (tag, colour, points) in curves.Reverse())
        {
            var newest = points.Last(point => float.IsFinite(point.Value));
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{legend}\" y=\"20\" text-anchor=\"end\" fill=\"{colour}\">{tag}: {Number(newest.Value)} at step {newest.Step}</text>\n");
            legend -= 240;
            svg.Append(CultureInfo.InvariantCulture, $"<path d=\"{Line(points, X, Y)}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\" stroke-linejoin=\"round\"/>\n");
            if (points.Count <= 60)
            {
                foreach (var point in points.Where(point => float.IsFinite(point.Value)))
                {
                    svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{X(point.Step):0.#}\" cy=\"{Y(point.Value):0.#}\" r=\"2.5\" fill=\"{colour}\"/>");
                }

                svg.Append('\n');
            }
        }

        double X(double position) => Left + (position / lastStep * (Width - Left - Right));

        double Y(double value) => Top + ((highest - value) / (highest - lowest) * (PanelHeight - Top - Bottom));
    }

    private static string Line(IReadOnlyList<CurvePoint> points, Func<double, double> x, Func<double, double> y)
    {
        var line = new StringBuilder();
        var pen = 'M';
        foreach (var point in points)
        {
            if (!float.IsFinite(point.Value))
            {
                pen = 'M';
                continue;
            }

            line.Append(CultureInfo.InvariantCulture, $"{pen}{x(point.Step):0.#} {y(point.Value):0.#}");
            pen = 'L';
        }

        return line.ToString();
    }

    /// <summary>1, 2 or 5 times a power of ten, so that a range has some <see cref="Ticks"/> of them.</summary>
    private static double NiceStep(double range)
    {
        if (!(range > 0))
        {
            return 1;
        }

        var power = Math.Pow(10, Math.Floor(Math.Log10(range / Ticks)));
        var fraction = range / Ticks / power;
        return power * (fraction <= 1.5 ? 1 : fraction <= 3 ? 2 : fraction <= 7 ? 5 : 10);
    }

    /// <summary>Four significant digits; small ones as 7e-4.</summary>
    public static string Number(double value) => value != 0 && Math.Abs(value) < 0.0099995 // 0.01 as a float is a little less
        ? value.ToString("0.###e-0", CultureInfo.InvariantCulture)
        : value.ToString("G4", CultureInfo.InvariantCulture);
}
