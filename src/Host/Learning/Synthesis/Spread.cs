using System.Globalization;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>Values to draw from: a list (<c>0.9,1,1.1</c>) or a range (<c>0.9..1.1</c>).</summary>
internal sealed record Spread
{
    private readonly double[] _values;
    private readonly bool _isRange;

    private Spread(double[] values, bool isRange)
    {
        _values = values;
        _isRange = isRange;
    }

    /// <summary>Reads one.</summary>
    /// <param name="text">A list or a range.</param>
    /// <param name="option">The option, for messages.</param>
    /// <param name="min">Least value.</param>
    /// <param name="max">Greatest value.</param>
    /// <exception cref="AsrException">It is neither, or a value is outside.</exception>
    public static Spread Parse(string text, string option, double min, double max)
    {
        var isRange = text.Contains("..", StringComparison.Ordinal);
        var parts = isRange ? text.Split("..") : text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var values = new double[parts.Length];
        for (var index = 0; index < parts.Length; index++)
        {
            if (!double.TryParse(parts[index], NumberStyles.Float, CultureInfo.InvariantCulture, out values[index]) || !(values[index] >= min && values[index] <= max))
            {
                throw new AsrException(FormattableString.Invariant($"{option} {text}: give numbers of {min} to {max}, as a list (1,1.2) or a range (1..1.2)"));
            }
        }

        return values.Length == 0 || (isRange && (values.Length != 2 || values[1] < values[0]))
            ? throw new AsrException($"{option} {text}: give a list (1,1.2) or a range from low to high (1..1.2)")
            : new Spread(values, isRange);
    }

    /// <summary>Draws a value, to a hundredth.</summary>
    public double Draw(Random random) =>
        _isRange ? Math.Round(_values[0] + (random.NextDouble() * (_values[1] - _values[0])), 2) : _values[random.Next(_values.Length)];
}
