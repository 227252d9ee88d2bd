using System.Runtime.InteropServices;
using AsrPlatform.Host.Security;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Learning.Corrections;

/// <summary>Counts the corrections of authors and callers: nobody can flood what is learnt from.</summary>
/// <remarks>An author is what a client says, so that its caller is counted, too. Code of this process is not. Safe for concurrent calls.</remarks>
internal sealed class CorrectionLimiter(IOptions<CorrectionOptions> options, SecurityMetrics metrics, TimeProvider time)
{
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _counts = new(StringComparer.Ordinal);
    private readonly int _most = options.Value.PerAuthorPerMinute;
    private DateTimeOffset _since;

    /// <summary>Counts a correction.</summary>
    /// <returns>Why it is refused; null when it is not.</returns>
    public string? Refuse(Caller caller, string? author)
    {
        if (caller == Caller.Process)
        {
            return null;
        }

        lock (_gate)
        {
            // All counts begin anew together: there are never more than a minute's.
            var now = time.GetUtcNow();
            if (now - _since >= Window)
            {
                _counts.Clear();
                _since = now;
            }

            if (!Count("caller " + caller.Id) || (author is not null && !Count("author " + author)))
            {
                metrics.Refused("correction_rate");
                return $"more than {_most} corrections of one author in a minute, the most that Corrections:PerAuthorPerMinute allows: try again later";
            }

            return null;
        }
    }

    private bool Count(string who)
    {
        ref var count = ref CollectionsMarshal.GetValueRefOrAddDefault(_counts, who, out _);
        return count++ < _most;
    }
}
