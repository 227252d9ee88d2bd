namespace AsrPlatform.PluginConformance;

/// <summary>How a check ended.</summary>
public enum CheckOutcome
{
    /// <summary>The plugin does what the contract says.</summary>
    Passed,

    /// <summary>It does not.</summary>
    Failed,

    /// <summary>There was nothing to check it on.</summary>
    Skipped,
}

/// <summary>One obligation of a plugin and whether it is met.</summary>
/// <param name="Name">A fixed name, such as <c>seq2seq: reorder</c>.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Detail">Why it failed or was skipped, or what was measured.</param>
public sealed record ConformanceCheck(string Name, CheckOutcome Outcome, string? Detail = null);

/// <summary>Collects checks; an exception in one is its failure and not the end of the others.</summary>
internal sealed class Checklist
{
    private readonly List<ConformanceCheck> _checks = [];

    public IReadOnlyList<ConformanceCheck> Checks => _checks;

    public bool AnyFailed => _checks.Any(check => check.Outcome == CheckOutcome.Failed);

    /// <summary>Runs a check that may say what it measured.</summary>
    /// <returns>Whether it passed.</returns>
    public bool Run(string name, Func<string?> check)
    {
        ConformanceCheck result;
        try
        {
            result = new ConformanceCheck(name, CheckOutcome.Passed, check());
        }
        catch (NotMetException error)
        {
            result = new ConformanceCheck(name, CheckOutcome.Failed, error.Message);
        }
        catch (Exception error)
        {
            var place = error.StackTrace?.Split('\n')[0].Trim();
            result = new ConformanceCheck(name, CheckOutcome.Failed, $"{error.GetType().Name}: {error.Message} {place}");
        }

        _checks.Add(result);
        return result.Outcome == CheckOutcome.Passed;
    }

    /// <summary>Runs a check.</summary>
    /// <returns>Whether it passed.</returns>
    public bool Run(string name, Action check) =>
        Run(name, () =>
        {
            check();
            return null;
        });

    public void Skip(string name, string reason) => _checks.Add(new ConformanceCheck(name, CheckOutcome.Skipped, reason));
}

/// <summary>Says how a plugin fails an obligation.</summary>
internal sealed class NotMetException(string message) : Exception(message);

/// <summary>The words in which checks are written.</summary>
internal static class Expect
{
    public static void That(bool condition, string otherwise)
    {
        if (!condition)
        {
            throw new NotMetException(otherwise);
        }
    }

    /// <summary>Requires an exception of a type or one derived from it.</summary>
    public static void Throws<TException>(string what, Action action)
        where TException : Exception
    {
        try
        {
            action();
        }
        catch (TException)
        {
            return;
        }
        catch (Exception error)
        {
            throw new NotMetException($"{what}: expected {typeof(TException).Name}, got {error.GetType().Name}: {error.Message}");
        }

        throw new NotMetException($"{what}: expected {typeof(TException).Name}, nothing was thrown");
    }

    /// <summary>Requires two rows of logits to be the same up to the order in which float32 sums are made.</summary>
    /// <returns>The largest difference.</returns>
    public static float Close(ReadOnlySpan<float> actual, ReadOnlySpan<float> expected, string what)
    {
        That(actual.Length == expected.Length, $"{what}: {actual.Length} values instead of {expected.Length}");
        float scale = 1, difference = 0;
        for (var i = 0; i < expected.Length; i++)
        {
            That(float.IsFinite(actual[i]), $"{what}: value {i} is {actual[i]}");
            scale = Math.Max(scale, Math.Abs(expected[i]));
            difference = Math.Max(difference, Math.Abs(actual[i] - expected[i]));
        }

        That(difference <= Tolerance * scale, $"{what}: values differ by up to {difference:g3}");
        return difference;
    }

    /// <summary>Relative to the largest value: an order of magnitude above what reordering float32 sums gives.</summary>
    private const float Tolerance = 1e-4f;
}
