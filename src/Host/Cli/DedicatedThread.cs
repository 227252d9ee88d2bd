namespace AsrPlatform.Host.Cli;

/// <summary>Runs blocking model work on a thread of its own: an engine's dispose scopes belong to one thread.</summary>
internal static class DedicatedThread
{
    public static Task<T> RunAsync<T>(Func<T> work)
    {
        var completion = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            try
            {
                completion.SetResult(work());
            }
            catch (OperationCanceledException error)
            {
                completion.SetCanceled(error.CancellationToken);
            }
            catch (Exception error)
            {
                completion.SetException(error);
            }
        })
        {
            Name = "asr model",
            IsBackground = true,
        };
        thread.Start();
        return completion.Task;
    }
}
