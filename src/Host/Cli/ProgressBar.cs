using Spectre.Console;

namespace AsrPlatform.Host.Cli;

/// <summary>A progress bar on stderr: a live one on a terminal, a line every tenth elsewhere.</summary>
internal static class ProgressBar
{
    /// <summary>Runs work that reports how far it is.</summary>
    /// <typeparam name="T">What the work returns.</typeparam>
    /// <param name="title">What is done.</param>
    /// <param name="quiet">Shows nothing.</param>
    /// <param name="work">Gets the function to report with: share done (0…1, NaN while it is not known) and what to say beside it; to be called from one thread at a time.</param>
    public static T Run<T>(string title, bool quiet, Func<Action<double, string>, T> work)
    {
        if (quiet)
        {
            return work((_, _) => { });
        }

        return Console.IsErrorRedirected ? RunWithLines(title, work) : RunLive(title, work);
    }

    /// <summary>As <see cref="Run{T}"/>, for work that awaits.</summary>
    public static Task<T> RunAsync<T>(string title, bool quiet, Func<Action<double, string>, Task<T>> work) =>
        DedicatedThread.RunAsync(() => Run(title, quiet, report => work(report).GetAwaiter().GetResult()));

    private static T RunWithLines<T>(string title, Func<Action<double, string>, T> work)
    {
        var next = 0.1;
        return work((share, note) =>
        {
            if (share >= next)
            {
                next = (Math.Floor(share * 10) + 1) / 10;
                Console.Error.WriteLine($"{title}: {(int)Math.Round(share * 100)} % {note}".TrimEnd());
            }
        });
    }

    private static T RunLive<T>(string title, Func<Action<double, string>, T> work)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        T result = default!;
        console.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(context =>
            {
                var task = context.AddTask(Markup.Escape(title), maxValue: 1);
                result = work((share, note) =>
                {
                    task.IsIndeterminate = double.IsNaN(share);
                    task.Value = task.IsIndeterminate ? 0 : Math.Min(share, 1);
                    task.Description = Markup.Escape(note.Length == 0 ? title : $"{title} {note}");
                });
            });
        return result;
    }
}
